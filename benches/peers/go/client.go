// The client's side: prepares a case, waits for a line, measures, and stays until standard input ends.

package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/sync/errgroup"
)

// Connections with traffic at a time, and what each of them moves in each direction.
const (
	atOnce  = 64
	traffic = 256 << 10
)

type settings struct {
	stack, addr, name string
	streams           int
	time              time.Duration
}

func client(s settings) error {
	first, err := newNode(s.stack)
	if err != nil {
		return err
	}
	connection, err := first.dial(s.addr)
	if err != nil {
		return err
	}
	// What a node makes once is made.
	if err := ask(connection); err != nil {
		return err
	}
	nodes, err := nodesFor(s)
	if err != nil {
		return err
	}
	if s.name == "handshake" || s.name == "first-byte" {
		connection.Close()
	}
	print(with{"ready": with{"library": "go-libp2p", "version": version(library)}})
	input.Scan()
	result, err := measure(s, connection, nodes)
	if err != nil {
		return err
	}
	print(with{"result": result})
	for input.Scan() {
	}
	runtime.KeepAlive(nodes)
	return input.Err()
}

// Nodes that dial when the clock runs.
func nodesFor(s settings) ([]*node, error) {
	if s.name == "bulk-up" || s.name == "bulk-down" || s.name == "rr" || s.name == "mixed" {
		return nil, nil
	}
	nodes := make([]*node, s.streams)
	for number := range nodes {
		node, err := newNode(s.stack)
		if err != nil {
			return nil, err
		}
		nodes[number] = node
	}
	return nodes, nil
}

func measure(s settings, connection network.Conn, nodes []*node) (result, error) {
	began := time.Now()
	until := began.Add(s.time)
	switch s.name {
	case "bulk-up":
		return counted(began, s.streams, s.streams, func(int) (uint64, error) { return upload(connection, until, allTheBytes) })
	case "bulk-down":
		return counted(began, s.streams, s.streams, func(int) (uint64, error) { return download(connection, s.time, allTheBytes) })
	case "rr":
		return requests(connection, s.streams, until)
	case "mixed":
		return mixed(connection, s.streams, until)
	case "handshake", "first-byte":
		return timed(began, s.streams, until, func(number int) (time.Duration, error) {
			return visit(nodes[number], s.addr, s.name == "first-byte")
		})
	case "idle", "traffic":
		return counted(began, s.streams, atOnce, func(number int) (uint64, error) {
			return stay(nodes[number], s.addr, s.name == "traffic")
		})
	default:
		return result{}, fmt.Errorf("no case is called %s", s.name)
	}
}

// Requests on one connection, some at a time.
func requests(connection network.Conn, atOnce int, until time.Time) (result, error) {
	return timed(time.Now(), atOnce, until, func(int) (time.Duration, error) {
		began := time.Now()
		err := ask(connection)
		return time.Since(began), err
	})
}

// One upload, and requests beside it: the times of the requests, and the bytes of the upload.
func mixed(connection network.Conn, atOnce int, until time.Time) (result, error) {
	group, uploaded, asked := errgroup.Group{}, result{}, result{}
	group.Go(func() (err error) {
		uploaded, err = counted(time.Now(), 1, 1, func(int) (uint64, error) { return upload(connection, until, allTheBytes) })
		return err
	})
	group.Go(func() (err error) {
		asked, err = requests(connection, atOnce, until)
		return err
	})
	err := group.Wait()
	asked.Bytes, asked.Seconds = uploaded.Bytes, uploaded.Seconds
	return asked, err
}

// Sends, and waits until the server has read all of it.
func upload(connection network.Conn, until time.Time, bytes uint64) (uint64, error) {
	stream, err := open(connection, sink)
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	sent, err := send(stream, until, bytes)
	if err != nil {
		return sent, err
	}
	if err := stream.CloseWrite(); err != nil {
		return sent, err
	}
	back, err := drain(stream, chunk)
	if err == nil && back != 0 {
		err = fmt.Errorf("an upload ended with %d bytes", back)
	}
	return sent, err
}

// Orders, and reads to the end.
func download(connection network.Conn, took time.Duration, bytes uint64) (uint64, error) {
	stream, err := open(connection, source)
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	if _, err := stream.Write(newOrder(took, bytes)); err != nil {
		return 0, err
	}
	if err := stream.CloseWrite(); err != nil {
		return 0, err
	}
	return drain(stream, chunk)
}

// One request.
func ask(connection network.Conn) error {
	stream, err := open(connection, request)
	if err != nil {
		return err
	}
	defer stream.Close()
	if _, err := stream.Write(make([]byte, question)); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	read, err := drain(stream, shortChunk)
	if err == nil && read != answer {
		err = fmt.Errorf("an answer of %d bytes", read)
	}
	return err
}

// The time from the dial until the connection is established, or its first answer is there; then it is closed.
func visit(node *node, addr string, asking bool) (time.Duration, error) {
	began := time.Now()
	connection, err := node.dial(addr)
	if err != nil {
		return 0, err
	}
	if asking {
		if err := ask(connection); err != nil {
			return 0, err
		}
	}
	took := time.Since(began)
	return took, connection.Close()
}

// A connection that stays, with traffic on it or without.
func stay(node *node, addr string, busy bool) (uint64, error) {
	connection, err := node.dial(addr)
	if err != nil || !busy {
		return 0, err
	}
	sent, err := upload(connection, time.Now().Add(time.Hour), traffic)
	if err != nil {
		return sent, err
	}
	read, err := download(connection, time.Hour, traffic)
	return sent + read, err
}
