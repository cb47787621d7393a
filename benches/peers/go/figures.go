// Loops, and what they came to.

package main

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

type result struct {
	Units   uint64   `json:"units"`
	Failed  uint64   `json:"failed"`
	Bytes   uint64   `json:"bytes"`
	Seconds float64  `json:"seconds"`
	P50     *float64 `json:"p50_us"`
	P99     *float64 `json:"p99_us"`
}

// Does something so often, some at a time, and adds up the bytes.
func counted(began time.Time, count, atOnce int, do func(number int) (uint64, error)) (result, error) {
	group, mutex, total := errgroup.Group{}, sync.Mutex{}, uint64(0)
	group.SetLimit(atOnce)
	for number := range count {
		group.Go(func() error {
			bytes, err := do(number)
			mutex.Lock()
			defer mutex.Unlock()
			total += bytes
			return err
		})
	}
	err := group.Wait()
	return result{Units: uint64(count), Bytes: total, Seconds: time.Since(began).Seconds()}, err
}

// Does something again and again, some at a time, and keeps how long each took.
func timed(began time.Time, atOnce int, until time.Time, do func(number int) (time.Duration, error)) (result, error) {
	group, mutex, all := errgroup.Group{}, sync.Mutex{}, []time.Duration{}
	for number := range atOnce {
		group.Go(func() error {
			times := []time.Duration{}
			for time.Now().Before(until) {
				took, err := do(number)
				if err != nil {
					return err
				}
				times = append(times, took)
			}
			mutex.Lock()
			defer mutex.Unlock()
			all = append(all, times...)
			return nil
		})
	}
	err := group.Wait()
	return ofTimes(all, time.Since(began)), err
}

// Of units that were timed one by one.
func ofTimes(all []time.Duration, took time.Duration) result {
	slices.Sort(all)
	return result{
		Units: uint64(len(all)), Seconds: took.Seconds(), P50: quantile(all, 50), P99: quantile(all, 99),
	}
}

// The nearest rank: a sample, below or at which so many in a hundred lie.
func quantile(sorted []time.Duration, percent int) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	rank := (len(sorted)*percent + 99) / 100
	micros := float64(sorted[max(rank, 1)-1].Nanoseconds()) / 1e3
	return &micros
}

func newOrder(took time.Duration, bytes uint64) []byte {
	wanted := binary.BigEndian.AppendUint64(nil, uint64(took.Milliseconds()))
	return binary.BigEndian.AppendUint64(wanted, bytes)
}
