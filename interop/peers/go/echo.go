// `/sinew/test/echo/1.0.0`: served on every inbound stream, and driven by the echo, streams and reset commands.

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/sync/errgroup"
)

const echoProtocol = "/sinew/test/echo/1.0.0"

// Bytes read or written at once.
const chunk = 16 * 1024

// Serves one stream, and says how it ended.
func serve(stream network.Stream, journal *journal) {
	copied, err := io.CopyBuffer(onlyWriter{stream}, onlyReader{stream}, make([]byte, chunk))
	if err == nil {
		if err = stream.Close(); err == nil {
			journal.record("served", with{"bytes": copied})
			return
		}
	}
	stream.Reset()
	kind, code := ending(err)
	journal.record(kind, with{"bytes": copied, "error": err.Error(), "code": code})
}

// CopyBuffer uses its buffer only where neither side has a way of its own.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// Whether the stream was reset or its connection ended, and with which code.
func ending(err error) (string, any) {
	if closed, ok := errors.AsType[*network.ConnError](err); ok {
		return "cut", closed.ErrorCode
	}
	if reset, ok := errors.AsType[*network.StreamError](err); ok {
		return "reset", reset.ErrorCode
	}
	if errors.Is(err, network.ErrReset) {
		return "reset", nil // by a peer that sends no code
	}
	return "failed", nil
}

// Sends the pattern, half-closes, and reads back until the end; begins to read after the pause.
func echo(host host.Host, id peer.ID, size int, pause time.Duration) (any, error) {
	hash := sha256.New()
	read, err := exchange(host, id, 0, size, pause, hash)
	return with{"bytes": read, "sha256": hex.EncodeToString(hash.Sum(nil))}, err
}

// Opens streams, at most atOnce at a time, and echoes on each with a seed of its own.
func streams(host host.Host, id peer.ID, count, atOnce, size int) (any, error) {
	group := errgroup.Group{}
	group.SetLimit(atOnce)
	for number := range count {
		group.Go(func() error {
			read, err := exchange(host, id, byte(number), size, 0, io.Discard)
			if err == nil && read != size {
				err = fmt.Errorf("%d bytes", read)
			}
			if err != nil {
				return fmt.Errorf("stream %d: %w", number, err)
			}
			return nil
		})
	}
	return with{"streams": count}, group.Wait()
}

// Sends the pattern, reads half of it back, and resets the stream.
func reset(host host.Host, id peer.ID, size int, code network.StreamErrorCode) (any, error) {
	stream, err := host.NewStream(context.Background(), id, echoProtocol)
	if err != nil {
		return nil, err
	}
	if err := send(stream, 0, size); err != nil {
		return nil, err
	}
	read, err := io.ReadFull(stream, make([]byte, size/2))
	if err != nil {
		return nil, err
	}
	return with{"sent": size, "read": read}, stream.ResetWithError(code)
}

// Opens streams at once, has a byte echoed on each, and keeps those on which that went well until all are settled.
func crowd(host host.Host, id peer.ID, count int) any {
	held := make(chan network.Stream, count)
	group := sync.WaitGroup{}
	for range count {
		group.Go(func() {
			if stream, err := hold(host, id); err == nil {
				held <- stream
			}
		})
	}
	group.Wait()
	served := len(held)
	for range served {
		(<-held).Reset()
	}
	return with{"served": served, "refused": count - served}
}

// Opens a stream that the other side serves until it ends. Some hold back the last byte, so there are two.
func hold(host host.Host, id peer.ID) (network.Stream, error) {
	stream, err := host.NewStream(context.Background(), id, echoProtocol)
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write(make([]byte, 2)); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(stream, make([]byte, 1))
	return stream, err
}

func exchange(host host.Host, id peer.ID, seed byte, size int, pause time.Duration, hash io.Writer) (int, error) {
	stream, err := host.NewStream(context.Background(), id, echoProtocol)
	if err != nil {
		return 0, err
	}
	defer stream.Reset() // does nothing where both sides have ended
	sent := make(chan error, 1)
	go func() {
		err := send(stream, seed, size)
		if err == nil {
			err = stream.CloseWrite()
		}
		sent <- err
	}()
	time.Sleep(pause)
	read, err := receive(stream, seed, hash)
	if err != nil {
		return read, err
	}
	return read, <-sent
}

func send(stream io.Writer, seed byte, size int) error {
	for sent := 0; sent < size; sent += chunk {
		if _, err := stream.Write(pattern(seed, sent, min(chunk, size-sent))); err != nil {
			return err
		}
	}
	return nil
}

func receive(stream io.Reader, seed byte, hash io.Writer) (int, error) {
	received, buffer := 0, make([]byte, chunk)
	for {
		read, err := stream.Read(buffer)
		if !bytes.Equal(buffer[:read], pattern(seed, received, read)) {
			return received, fmt.Errorf("wrong bytes after %d", received)
		}
		hash.Write(buffer[:read])
		received += read
		if err == io.EOF {
			return received, nil
		}
		if err != nil {
			return received, err
		}
	}
}

// The pattern with this seed (interop/README.md) from a position on.
func pattern(seed byte, from, length int) []byte {
	out := make([]byte, length)
	for k := range out {
		i := from + k
		out[k] = seed + byte(i) + byte(i>>8) + byte(i>>16)
	}
	return out
}
