// The host, and the commands that do not need a stream of the suite's own.

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
)

type node struct {
	host    host.Host
	journal *journal
	topics  *topics // nil without a pub/sub protocol
}

// Starts a host that reports to a journal of its own and serves echo.
func start(args arguments) (*node, error) {
	options, err := options(args)
	if err != nil {
		return nil, err
	}
	host, err := libp2p.New(options...)
	if err != nil {
		return nil, err
	}
	node := &node{host: host, journal: newJournal()}
	identified, err := host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return nil, err
	}
	go func() {
		for info := range identified.Out() {
			node.journal.record("identified", identity(info.(event.EvtPeerIdentificationCompleted)))
		}
	}()
	host.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) { node.journal.record("connected", connected(c)) },
		DisconnectedF: func(_ network.Network, c network.Conn) {
			node.journal.record("disconnected", with{"peer": c.RemotePeer().String()})
		},
	})
	host.SetStreamHandler(echoProtocol, func(stream network.Stream) { serve(stream, node.journal) })
	if args.pubsub != "" {
		node.topics, err = newTopics(host, node.journal, args)
	}
	return node, err
}

func (n *node) act(r request) (any, error) {
	switch r.Do {
	case "listen":
		return n.listen(r.Addr)
	case "dial":
		return n.dial(r.Addr)
	case "events":
		return with{"events": n.journal.wait(r.Kind, r.Count, func(with) bool { return true })}, nil
	case "subscribe", "unsubscribe", "publish", "publish_parts", "peers", "mesh":
		return n.topics.act(r)
	case "protocol":
		return n.topics.protocol(r.Peer), nil
	case "heard":
		return n.topics.heard(r.Word, r.Count), nil
	}
	id, err := peer.Decode(r.Peer)
	if err != nil {
		return nil, err
	}
	switch r.Do {
	case "ping":
		return n.ping(id, r.Count)
	case "identify":
		return n.identify(r.Peer, r.Addr), nil
	case "echo":
		return echo(n.host, id, r.Bytes, time.Duration(r.Pause)*time.Millisecond)
	case "streams":
		return streams(n.host, id, r.Count, r.AtOnce, r.Bytes)
	case "crowd":
		return crowd(n.host, id, r.Count), nil
	case "reset":
		return reset(n.host, id, r.Bytes, network.StreamErrorCode(r.Code))
	case "close":
		return n.close(id, network.ConnErrorCode(r.Code))
	default:
		return nil, fmt.Errorf("unknown command %s", r.Do)
	}
}

func (n *node) listen(addr string) (any, error) {
	wanted, err := ma.NewMultiaddr(addr)
	if err != nil {
		return nil, err
	}
	before := n.host.Network().ListenAddresses()
	if err := n.host.Network().Listen(wanted); err != nil {
		return nil, err
	}
	addrs := []string{}
	for _, addr := range n.host.Network().ListenAddresses() {
		if !slices.ContainsFunc(before, addr.Equal) {
			addrs = append(addrs, fmt.Sprintf("%s/p2p/%s", addr, n.host.ID()))
		}
	}
	return with{"addrs": addrs}, nil
}

func (n *node) dial(addr string) (any, error) {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, err
	}
	if err := n.host.Connect(context.Background(), *info); err != nil {
		return nil, err
	}
	return with{"peer": info.ID.String()}, nil
}

func (n *node) ping(id peer.ID, count int) (any, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	micros := []int64{}
	for result := range ping.Ping(ctx, n.host, id) {
		if result.Error != nil {
			return nil, result.Error
		}
		if micros = append(micros, result.RTT.Microseconds()); len(micros) == count {
			break
		}
	}
	return with{"micros": micros}, nil
}

// The library has one event for answers and pushes; both are whole.
func (n *node) identify(id, addr string) any {
	return n.journal.wait("identified", 1, func(event with) bool {
		return event["peer"] == id && (addr == "" || slices.Contains(event["listen_addrs"].([]string), addr))
	})[0]
}

// Closes the connections, with a stream open that lives on at the other side until it hears of it.
func (n *node) close(id peer.ID, code network.ConnErrorCode) (any, error) {
	if _, err := hold(n.host, id); err != nil {
		return nil, err
	}
	connections := n.host.Network().ConnsToPeer(id)
	for _, connection := range connections {
		if err := connection.CloseWithError(code); err != nil {
			return nil, err
		}
	}
	return with{"closed": len(connections)}, nil
}

func connected(c network.Conn) with {
	state := c.ConnState()
	return with{
		"peer":        c.RemotePeer().String(),
		"transport":   transportOf(c.RemoteMultiaddr()),
		"security":    orNil(string(state.Security)),
		"muxer":       orNil(string(state.StreamMultiplexer)),
		"early_muxer": state.UsedEarlyMuxerNegotiation,
	}
}

// The library calls both kinds of WebSocket one transport.
func transportOf(addr ma.Multiaddr) string {
	var names []string
	ma.ForEach(addr, func(c ma.Component) bool {
		names = append(names, c.Protocol().Name)
		return true
	})
	has := func(name string) bool { return slices.Contains(names, name) }
	switch {
	case has("wss"), has("tls") && has("ws"):
		return "wss"
	case has("ws"):
		return "ws"
	default:
		return names[len(names)-1]
	}
}

func identity(e event.EvtPeerIdentificationCompleted) with {
	keyType := ""
	if key := e.Conn.RemotePublicKey(); key != nil {
		keyType = strings.ToLower(key.Type().String())
	}
	protocols := []string{}
	for _, protocol := range e.Protocols {
		protocols = append(protocols, string(protocol))
	}
	addrs := []string{}
	for _, addr := range e.ListenAddrs {
		addrs = append(addrs, addr.String())
	}
	observed := ""
	if e.ObservedAddr != nil {
		observed = e.ObservedAddr.String()
	}
	return with{
		"peer": e.Peer.String(), "agent": e.AgentVersion, "protocol_version": e.ProtocolVersion,
		"protocols": protocols, "listen_addrs": addrs, "observed_addr": orNil(observed),
		"key_type": keyType, "signed_record": e.SignedPeerRecord != nil,
	}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}
