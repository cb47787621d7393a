// A bare go-libp2p swarm, as `cargo xtask bench compare` measures it (benches/README.md).
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

const (
	library       = "github.com/libp2p/go-libp2p"
	pubsubLibrary = "github.com/libp2p/go-libp2p-pubsub"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("server, client or pubsub?")
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	stack := flags.String("stack", "", "the transport, the security and the muxer")
	if args[0] == "server" {
		ip := flags.String("ip", "127.0.0.1", "where it listens")
		flags.Parse(args[1:])
		return server(*stack, *ip)
	}
	if args[0] == "pubsub" {
		full := flags.Bool("full", false, "a connection between any two")
		signed := flags.Bool("signed", false, "messages are signed")
		nodes := flags.Int("nodes", 10, "how many, at most 63")
		seconds := flags.Float64("seconds", 3, "for how long")
		flags.Parse(args[1:])
		return publishing(*stack, *full, *signed, *nodes, *seconds)
	}
	addr := flags.String("addr", "", "the address that the server printed")
	name := flags.String("case", "", "what is measured")
	streams := flags.Int("streams", 1, "how many at a time")
	seconds := flags.Float64("seconds", 3, "for how long")
	flags.Parse(args[1:])
	return client(settings{*stack, *addr, *name, *streams, duration(*seconds)})
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

// The lines of standard input.
var input = bufio.NewScanner(os.Stdin)

// The fields of a line.
type with = map[string]any

func print(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // only what this program made itself
	}
	fmt.Println(string(text))
}

// Listens, says where, and serves until standard input ends.
func server(stack, ip string) error {
	node, err := newNode(stack)
	if err != nil {
		return err
	}
	node.swarm.SetStreamHandler(serve)
	addr, err := node.listen(stack, ip)
	if err != nil {
		return err
	}
	print(with{"ready": with{"library": "go-libp2p", "version": version(library), "addr": addr}})
	for input.Scan() {
		// Collects, and gives back what is free: the other programs' allocator does so by itself.
		debug.FreeOSMemory()
		print(with{"settled": true})
	}
	return input.Err()
}

// The version of a library that this program was built with.
func version(library string) string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, module := range info.Deps {
			if module.Path == library {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}
