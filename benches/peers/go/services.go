// The server's side of every service.

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	msmux "github.com/multiformats/go-multistream"
)

const (
	chunk       = 64 << 10 // one write
	shortChunk  = 64       // one read of a request, more than either direction has
	question    = 40
	answer      = 32
	order       = 16 // milliseconds and bytes
	allTheBytes = math.MaxUint64
)

var protocols = newProtocols()

func newProtocols() *msmux.MultistreamMuxer[protocol.ID] {
	all := msmux.NewMultistreamMuxer[protocol.ID]()
	for _, name := range []protocol.ID{sink, source, request} {
		all.AddHandler(name, nil)
	}
	return all
}

// Serves one stream to its end.
func serve(stream network.Stream) {
	name, _, err := protocols.Negotiate(stream)
	if err == nil {
		switch name {
		case sink:
			_, err = drain(stream, chunk)
		case source:
			err = serveSource(stream)
		case request:
			err = serveRequest(stream)
		}
	}
	if err != nil {
		stream.Reset()
		return
	}
	stream.Close()
}

func serveSource(stream network.Stream) error {
	var wanted [order]byte
	if _, err := io.ReadFull(stream, wanted[:]); err != nil {
		return err
	}
	took := time.Duration(binary.BigEndian.Uint64(wanted[:8])) * time.Millisecond
	_, err := send(stream, time.Now().Add(took), binary.BigEndian.Uint64(wanted[8:]))
	return err
}

func serveRequest(stream network.Stream) error {
	read, err := drain(stream, shortChunk)
	if err == nil && read != question {
		err = fmt.Errorf("a request of %d bytes", read)
	}
	if err == nil {
		_, err = stream.Write(make([]byte, answer))
	}
	return err
}

// Reads to the end, and says how much there was.
func drain(stream io.Reader, size int) (uint64, error) {
	buffer, total := make([]byte, size), uint64(0)
	for {
		read, err := stream.Read(buffer)
		total += uint64(read)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Writes until the time or the bytes are over, and says how much that was.
func send(stream io.Writer, until time.Time, bytes uint64) (uint64, error) {
	buffer, sent := make([]byte, chunk), uint64(0)
	for sent < bytes && time.Now().Before(until) {
		length := min(bytes-sent, chunk)
		if _, err := stream.Write(buffer[:length]); err != nil {
			return sent, err
		}
		sent += length
	}
	return sent, nil
}
