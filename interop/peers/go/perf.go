// `/perf/1.0.0` of the specification, which the library leaves to its users: a server, and a client with statistics.

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const perfProtocol = "/perf/1.0.0"

// How long one transfer may take.
const transferLimit = 60 * time.Second

// Bytes written at once.
const block = 64 * 1024

// Reads everything, then sends as many bytes as the first eight name.
func servePerf(stream network.Stream) {
	if err := answerPerf(stream); err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		stream.Reset()
	}
}

func answerPerf(stream network.Stream) error {
	stream.SetDeadline(time.Now().Add(transferLimit))
	var wanted [8]byte
	if _, err := io.ReadFull(stream, wanted[:]); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return err
	}
	if err := sendZeros(stream, binary.BigEndian.Uint64(wanted[:])); err != nil {
		return err
	}
	return stream.Close()
}

// Moves so many bytes; gives the time from the opening of the stream to its end.
func transfer(host host.Host, id peer.ID, upload, download uint64) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), transferLimit)
	defer cancel()
	stream, err := host.NewStream(ctx, id, perfProtocol)
	if err != nil {
		return 0, err
	}
	defer stream.Reset() // does nothing where both sides have ended
	stream.SetDeadline(start.Add(transferLimit))
	if _, err := stream.Write(binary.BigEndian.AppendUint64(nil, download)); err != nil {
		return 0, err
	}
	if err := sendZeros(stream, upload); err != nil {
		return 0, err
	}
	if err := stream.CloseWrite(); err != nil {
		return 0, err
	}
	received, err := io.Copy(io.Discard, stream)
	if err == nil && uint64(received) != download {
		err = fmt.Errorf("%d bytes came where %d were asked for", received, download)
	}
	return time.Since(start), err
}

func sendZeros(stream io.Writer, count uint64) error {
	zeros := make([]byte, block)
	for count > 0 {
		written, err := stream.Write(zeros[:min(count, block)])
		if err != nil {
			return err
		}
		count -= uint64(written)
	}
	return nil
}

// Runs the three series and prints what came of them.
func measure(host host.Host, id peer.ID) error {
	up, down := number("UPLOAD_BYTES", 1<<30), number("DOWNLOAD_BYTES", 1<<30)
	series := []struct {
		name             string
		count            uint64
		upload, download uint64
		format, unit     string
	}{
		{"upload", number("UPLOAD_ITERATIONS", 10), up, 0, "%.2f", "Gbps"},
		{"download", number("DOWNLOAD_ITERATIONS", 10), 0, down, "%.2f", "Gbps"},
		{"latency", number("LATENCY_ITERATIONS", 100), 1, 1, "%.3f", "ms"},
	}
	for _, s := range series {
		var samples []float64
		for range s.count {
			took, err := transfer(host, id, s.upload, s.download)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if s.unit == "ms" {
				samples = append(samples, millis(took))
			} else {
				samples = append(samples, float64(max(s.upload, s.download))*8/took.Seconds()/1e9)
			}
		}
		fmt.Print(s.name, ":\n", statistics(samples, s.format, s.unit))
	}
	return nil
}

// A number from the environment; the suite sets some to "null".
func number(name string, otherwise uint64) uint64 {
	if value, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return value
	}
	return otherwise
}

// Quartiles, and the extremes of what lies within one and a half times their distance.
func statistics(samples []float64, format, unit string) string {
	slices.Sort(samples)
	q1, median, q3 := quantile(samples, 0.25), quantile(samples, 0.5), quantile(samples, 0.75)
	reach := 1.5 * (q3 - q1)
	var inner, outliers []float64
	for _, sample := range samples {
		if sample < q1-reach || sample > q3+reach {
			outliers = append(outliers, sample)
		} else {
			inner = append(inner, sample)
		}
	}
	number := func(value float64) string { return fmt.Sprintf(format, value) }
	list := func(values []float64) string {
		texts := []string{}
		for _, value := range values {
			texts = append(texts, number(value))
		}
		return "[" + strings.Join(texts, ", ") + "]"
	}
	return fmt.Sprintf("  iterations: %d\n  min: %s\n  q1: %s\n  median: %s\n  q3: %s\n  max: %s\n"+
		"  outliers: %s\n  samples: %s\n  unit: %s\n",
		len(samples), number(inner[0]), number(q1), number(median), number(q3), number(inner[len(inner)-1]),
		list(outliers), list(samples), unit)
}

func quantile(sorted []float64, share float64) float64 {
	place := share * float64(len(sorted)-1)
	below, above := sorted[int(math.Floor(place))], sorted[int(math.Ceil(place))]
	return below + (above-below)*(place-math.Floor(place))
}
