// A go-libp2p node for the interop suites: commands come as JSON lines on stdin, answers go to stdout; or the environment says
// what to do, by the contracts of the official suites.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
)

// A line of stdin can be this long.
const maxLine = 1 << 20

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("the first argument is control, transport or perf"))
	}
	var args arguments
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&args.key, "key", "ed25519", "the type of the identity key")
	flags.StringVar(&args.stack, "stack", "tcp/noise/yamux", "the transport, the security and the muxer")
	flags.StringVar(&args.psk, "psk", "", "the key of the private network, in hex")
	flags.StringVar(&args.tls, "tls", "", "the folder of the certificates for wss")
	flags.BoolVar(&args.defaultLimits, "default-limits", false, "keep the default limits of the library")
	flags.StringVar(&args.pubsub, "pubsub", "", "gossipsub or floodsub")
	flags.BoolVar(&args.anonymous, "anonymous", false, "messages have neither author nor signature")
	flags.StringVar(&args.partial, "partial", "", "the topic whose messages come in parts")
	flags.Parse(os.Args[2:]) // ends the program at an error
	switch mode := os.Args[1]; mode {
	case "control":
		fail(run(args))
	case "transport", "perf":
		fail(contract(mode, args.tls))
	default:
		fail(fmt.Errorf("unknown mode %s", mode))
	}
}

// What the node is made of.
type arguments struct {
	key, stack, psk, tls, pubsub, partial string
	defaultLimits, anonymous              bool
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop-peer-go:", err)
		os.Exit(1)
	}
}

func run(args arguments) error {
	node, err := start(args)
	if err != nil {
		return err
	}
	print(map[string]any{"ready": map[string]string{
		"peer": node.host.ID().String(), "library": "go-libp2p", "version": libraryVersion(),
	}})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var request request
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			return err
		}
		go answer(node, request)
	}
	// Over QUIC nobody else tells the others that we have left.
	if err := node.host.Close(); err != nil {
		return err
	}
	return lines.Err()
}

// A command with all that any command takes.
type request struct {
	ID     uint64 `json:"id"`
	Do     string `json:"do"`
	Addr   string `json:"addr"`
	Peer   string `json:"peer"`
	Count  int    `json:"count"`
	AtOnce int    `json:"at_once"`
	Bytes  int    `json:"bytes"`
	Pause  int    `json:"pause"`
	Code   uint32 `json:"code"`
	Topic  string `json:"topic"`
	Seed   int    `json:"seed"`
	Group  uint64 `json:"group"`
	Parts  byte   `json:"parts"`
	Word   string `json:"word"`
	Kind   string `json:"kind"`
}

func answer(node *node, request request) {
	result, err := node.act(request)
	if err != nil {
		print(map[string]any{"id": request.ID, "error": err.Error()})
	} else {
		print(map[string]any{"id": request.ID, "ok": result})
	}
}

var stdout sync.Mutex

func print(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err) // only what this program made itself
	}
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Println(string(text))
}
