// The swarm: the transport, the security and the muxer that the stack names, all as the library's defaults have them.

package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
	"github.com/quic-go/quic-go"
)

type node struct {
	swarm *swarm.Swarm
	bus   event.Bus
}

// A node with a fresh identity, and no limits.
func newNode(stack string) (*node, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	if err := store.AddPrivKey(id, key); err != nil {
		return nil, err
	}
	bus := eventbus.NewBus()
	all, err := swarm.NewSwarm(id, store, bus)
	if err != nil {
		return nil, err
	}
	used, err := newTransport(stack, key)
	if err != nil {
		return nil, err
	}
	return &node{all, bus}, all.AddTransport(used)
}

func newTransport(stack string, key crypto.PrivKey) (transport.Transport, error) {
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	var secure sec.SecureTransport
	var err error
	switch stack {
	case "quic-v1":
		reuse, err := quicreuse.NewConnManager(resetKey(), quic.TokenGeneratorKey{})
		if err != nil {
			return nil, err
		}
		return libp2pquic.NewTransport(key, reuse, nil, nil, nil)
	case "tcp/tls/yamux":
		secure, err = libp2ptls.New(libp2ptls.ID, key, muxers)
	case "tcp/noise/yamux", "ws/noise/yamux":
		secure, err = noise.New(noise.ID, key, muxers)
	default:
		err = fmt.Errorf("this program has no stack %s", stack)
	}
	if err != nil {
		return nil, err
	}
	upgrades, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	if stack == "ws/noise/yamux" {
		return websocket.New(upgrades, nil, nil)
	}
	return tcp.NewTCPTransport(upgrades, nil, nil)
}

func resetKey() (key quic.StatelessResetKey) {
	rand.Read(key[:])
	return key
}

func (n *node) listen(stack, ip string) (string, error) {
	above := map[string]string{"quic-v1": "/udp/0/quic-v1", "ws/noise/yamux": "/tcp/0/ws"}[stack]
	if above == "" {
		above = "/tcp/0"
	}
	addr, err := ma.NewMultiaddr("/ip4/" + ip + above)
	if err != nil {
		return "", err
	}
	if err := n.swarm.Listen(addr); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/p2p/%s", n.swarm.ListenAddresses()[0], n.swarm.LocalPeer()), nil
}

func (n *node) dial(addr string) (network.Conn, error) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, err
	}
	n.swarm.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.PermanentAddrTTL)
	return n.swarm.DialPeer(context.Background(), info.ID)
}

const (
	sink    protocol.ID = "/sinew/bench/sink/1.0.0"
	source  protocol.ID = "/sinew/bench/source/1.0.0"
	request protocol.ID = "/sinew/bench/request/1.0.0"
)

// A stream whose protocol is offered with the first bytes, as the library's host does with what it knows the peer to speak.
type lazyStream struct {
	network.Stream
	lazy msmux.LazyConn
}

func open(connection network.Conn, name protocol.ID) (*lazyStream, error) {
	stream, err := connection.NewStream(context.Background())
	if err != nil {
		return nil, err
	}
	return &lazyStream{stream, msmux.NewMSSelect(stream, name)}, nil
}

func (s *lazyStream) Read(into []byte) (int, error)  { return s.lazy.Read(into) }
func (s *lazyStream) Write(from []byte) (int, error) { return s.lazy.Write(from) }
