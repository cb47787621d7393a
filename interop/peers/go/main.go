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
	arguments := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	key := arguments.String("key", "ed25519", "the type of the identity key")
	stack := arguments.String("stack", "tcp/noise/yamux", "the transport, the security and the muxer")
	psk := arguments.String("psk", "", "the key of the private network, in hex")
	tls := arguments.String("tls", "", "the folder of the certificates for wss")
	defaultLimits := arguments.Bool("default-limits", false, "keep the default limits of the library")
	arguments.Parse(os.Args[2:]) // ends the program at an error
	switch mode := os.Args[1]; mode {
	case "control":
		fail(run(*key, *stack, *psk, *tls, *defaultLimits))
	case "transport", "perf":
		fail(contract(mode, *tls))
	default:
		fail(fmt.Errorf("unknown mode %s", mode))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop-peer-go:", err)
		os.Exit(1)
	}
}

func run(key, stack, psk, tls string, defaultLimits bool) error {
	node, err := start(key, stack, psk, tls, defaultLimits)
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
