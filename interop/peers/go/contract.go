// The contracts of the official suites: a role and a stack in the environment, an address passed on through redis, results
// on stdout.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/redis/go-redis/v9"
)

// How long the other side may keep this one waiting, unless TEST_TIMEOUT_SECS says.
const patience = 180 * time.Second

// How long a dial may take.
const dialLimit = 30 * time.Second

// Between two looks for an address.
const poll = 100 * time.Millisecond

// One side of a suite.
type side struct {
	suite string
	host  host.Host
	redis *redis.Client
	key   string
	limit time.Duration
}

func contract(suite, certificates string) error {
	stack := stackOf(os.Getenv("TRANSPORT"), os.Getenv("SECURE_CHANNEL"), os.Getenv("MUXER"))
	options, err := options(arguments{key: "ed25519", stack: stack, tls: certificates})
	if err != nil {
		return err
	}
	host, err := libp2p.New(options...)
	if err != nil {
		return err
	}
	side := side{
		suite: suite,
		host:  host,
		redis: redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDR")}),
		key:   os.Getenv("TEST_KEY") + "_listener_multiaddr",
		limit: patience,
	}
	if seconds, err := strconv.Atoi(os.Getenv("TEST_TIMEOUT_SECS")); err == nil {
		side.limit = time.Duration(seconds) * time.Second
	}
	if os.Getenv("IS_DIALER") == "true" {
		return side.dial()
	}
	return side.listen(os.Getenv("LISTENER_IP"))
}

func stackOf(transport, security, muxer string) string {
	if security == "" {
		return transport
	}
	return strings.Join([]string{transport, security, muxer}, "/")
}

// Listens, passes the address on, and serves until it is ended.
func (s side) listen(ip string) error {
	if s.suite == "perf" {
		s.host.SetStreamHandler(perfProtocol, servePerf)
	}
	addr, err := ma.NewMultiaddr("/ip4/" + ip + listenSuffix(os.Getenv("TRANSPORT")))
	if err != nil {
		return err
	}
	if err := s.host.Network().Listen(addr); err != nil {
		return err
	}
	addrs, err := s.host.Network().InterfaceListenAddresses()
	if err != nil {
		return err
	}
	if err := s.publish(fmt.Sprintf("%s/p2p/%s", reachable(addrs), s.host.ID())); err != nil {
		return err
	}
	time.Sleep(s.limit)
	return errors.New("nobody ended this listener in time")
}

func listenSuffix(transport string) string {
	switch transport {
	case "quic-v1":
		return "/udp/0/quic-v1"
	case "ws":
		return "/tcp/0/ws"
	case "wss":
		return "/tcp/0/tls/ws"
	default:
		return "/tcp/0"
	}
}

// An address that other machines reach, if there is one.
func reachable(addrs []ma.Multiaddr) ma.Multiaddr {
	for _, addr := range addrs {
		if !strings.HasPrefix(addr.String(), "/ip4/127.") {
			return addr
		}
	}
	return addrs[0]
}

// The transport suite has a list, the perf suite a value. Some peers know secure WebSockets by their older name only.
func (s side) publish(addr string) error {
	addr = strings.ReplaceAll(addr, "/tls/ws", "/wss")
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	if s.suite == "perf" {
		return s.redis.Set(ctx, s.key, addr, 0).Err()
	}
	if err := s.redis.Del(ctx, s.key).Err(); err != nil {
		return err
	}
	return s.redis.RPush(ctx, s.key, addr).Err()
}

// Waits for the address that the listener passes on.
func (s side) published() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	if s.suite == "transport" {
		popped, err := s.redis.BLPop(ctx, s.limit, s.key).Result()
		if err != nil {
			return "", err
		}
		return popped[1], nil
	}
	for {
		addr, err := s.redis.Get(ctx, s.key).Result()
		if err != redis.Nil {
			return addr, err
		}
		time.Sleep(poll)
	}
}

func (s side) dial() error {
	addr, err := s.published()
	if err != nil {
		return err
	}
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return err
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
	defer cancel()
	if err := s.host.Connect(ctx, *info); err != nil {
		return err
	}
	if s.suite == "perf" {
		return measure(s.host, info.ID)
	}
	echo := <-ping.Ping(ctx, s.host, info.ID)
	if echo.Error != nil {
		return echo.Error
	}
	handshake := time.Since(start)
	fmt.Printf("latency:\n  handshake_plus_one_rtt: %f\n  ping_rtt: %f\n  unit: ms\n", millis(handshake), millis(echo.RTT))
	return nil
}

func millis(d time.Duration) float64 {
	return d.Seconds() * 1000
}
