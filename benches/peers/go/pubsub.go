// Nodes of gossipsub in one process: everybody publishes in turn, and everybody else has to hear of it, once.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
)

const (
	topicName = "bench"
	message   = 1024 // bytes of data
	window    = 32   // messages at a time that are not everywhere yet
	settle    = 3 * time.Second
	grace     = 5 * time.Second
	queues    = 1024 // by default the library drops what goes beyond 32 in several of its queues
)

type pubsubNode struct {
	*node
	addr  string
	topic *pubsub.Topic
}

// With the numbers of the specification, and our own messages to all peers, as in the other programs.
func newPubsub(stack string, signed bool, deliver func(data []byte)) (*pubsubNode, error) {
	node, err := newNode(stack)
	if err != nil {
		return nil, err
	}
	addr, err := node.listen(stack, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	// Identify tells of what peers speak.
	host, err := basichost.NewHost(node.swarm, &basichost.HostOpts{EventBus: node.bus})
	if err != nil {
		return nil, err
	}
	host.Start()
	options := []pubsub.Option{
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerOutboundQueueSize(queues),
		pubsub.WithValidateQueueSize(queues),
	}
	if !signed {
		byContent := func(message *pb.Message) string {
			hash := sha256.Sum256(message.GetData())
			return string(hash[:])
		}
		options = append(options, pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign), pubsub.WithNoAuthor(),
			pubsub.WithMessageIdFn(byContent))
	}
	gossip, err := pubsub.NewGossipSub(context.Background(), host, options...)
	if err != nil {
		return nil, err
	}
	topic, err := gossip.Join(topicName)
	if err != nil {
		return nil, err
	}
	subscription, err := topic.Subscribe(pubsub.WithBufferSize(queues))
	if err != nil {
		return nil, err
	}
	go read(subscription, node.swarm.LocalPeer(), deliver)
	return &pubsubNode{node, addr, topic}, nil
}

func read(subscription *pubsub.Subscription, self peer.ID, deliver func(data []byte)) {
	for {
		message, err := subscription.Next(context.Background())
		if err != nil {
			return
		}
		// The library delivers what we published ourselves too.
		if message.ReceivedFrom != self {
			deliver(message.GetData())
		}
	}
}

// The messages that are on their way, and how those before them fared.
type messages struct {
	mutex    sync.Mutex
	nodes    int
	room     chan struct{}
	underway map[uint64]*underway
	times    []time.Duration // how long each took until it was everywhere
	surplus  uint64          // what came twice, or was never published
}

type underway struct {
	began   time.Time
	missing uint64 // a bit for each node
}

func newMessages(nodes int) *messages {
	return &messages{nodes: nodes, room: make(chan struct{}, window), underway: map[uint64]*underway{}}
}

// Waits for room for one more message, and gives its data; nothing where messages that got lost leave none.
func (m *messages) next(number uint64, author int) []byte {
	select {
	case m.room <- struct{}{}:
	case <-time.After(grace):
		return nil
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.underway[number] = &underway{time.Now(), (uint64(1)<<m.nodes - 1) &^ (1 << author)}
	data := make([]byte, message)
	binary.BigEndian.PutUint64(data, number)
	return data
}

func (m *messages) arrived(node int, data []byte) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	number := uint64(math.MaxUint64)
	if len(data) >= 8 {
		number = binary.BigEndian.Uint64(data)
	}
	known := m.underway[number]
	if known == nil || known.missing&(1<<node) == 0 {
		m.surplus++
		return
	}
	known.missing &^= 1 << node
	if known.missing == 0 {
		m.times = append(m.times, time.Since(known.began))
		delete(m.underway, number)
		<-m.room
	}
}

// Waits until all are everywhere, for a time. What came of those since the last time.
func (m *messages) settled(began time.Time) result {
	for late := began.Add(time.Since(began) + grace); len(m.room) > 0 && time.Now().Before(late); {
		time.Sleep(time.Millisecond)
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	figures := ofTimes(m.times, time.Since(began))
	figures.Failed = m.surplus
	for _, message := range m.underway {
		figures.Failed += uint64(bits.OnesCount64(message.missing))
	}
	figures.Units *= uint64(m.nodes - 1)
	figures.Bytes = figures.Units * message
	m.times = nil
	return figures
}

// Makes the nodes, and has them publish.
func publishing(stack string, full, signed bool, count int, seconds float64) error {
	all := newMessages(count)
	nodes := make([]*pubsubNode, 0, count)
	for number := range count {
		node, err := newPubsub(stack, signed, func(data []byte) { all.arrived(number, data) })
		if err != nil {
			return err
		}
		for other := range nodes {
			if !full && other > 0 {
				break
			}
			if _, err := node.dial(nodes[other].addr); err != nil {
				return err
			}
		}
		nodes = append(nodes, node)
	}
	time.Sleep(settle)
	first, err := publish(nodes, all, 0, uint64(count), time.Hour)
	if err != nil {
		return err
	}
	if first.Failed > 0 {
		return fmt.Errorf("%d messages were lost, or came twice", first.Failed)
	}
	print(with{"ready": with{"library": "go-libp2p-pubsub", "version": version(pubsubLibrary)}})
	input.Scan()
	figures, err := publish(nodes, all, uint64(count), math.MaxUint64, duration(seconds))
	if err != nil {
		return err
	}
	print(with{"result": figures})
	for input.Scan() {
	}
	return input.Err()
}

// Everybody publishes in turn, until the numbers or the time are over.
func publish(nodes []*pubsubNode, all *messages, from, to uint64, took time.Duration) (result, error) {
	began := time.Now()
	for number := from; number < to && time.Since(began) < took; number++ {
		author := int(number % uint64(len(nodes)))
		data := all.next(number, author)
		if data == nil {
			break
		}
		if err := nodes[author].topic.Publish(context.Background(), data); err != nil {
			return result{}, err
		}
	}
	return all.settled(began), nil
}
