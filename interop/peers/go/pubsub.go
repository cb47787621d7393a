// Publish and subscribe: what the commands about topics do, with gossipsub or with floodsub.

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Between two looks for something that the library has no event for.
const look = 20 * time.Millisecond

// Messages that may wait to be put into the journal.
const waitingMessages = 256

// The topics of a node.
type topics struct {
	pubsub  *pubsub.PubSub
	self    peer.ID
	journal *journal
	tracer  *tracer
	groups  *groups
	partial string // the topic whose messages come in parts

	mutex    sync.Mutex
	joined   map[string]*pubsub.Topic
	followed map[string]*pubsub.Subscription
}

// Adds gossipsub or floodsub to a host.
func newTopics(host host.Host, journal *journal, args arguments) (*topics, error) {
	tracer, groups := newTracer(journal), newGroups(journal)
	options := []pubsub.Option{pubsub.WithRawTracer(tracer)}
	if args.anonymous {
		options = append(options,
			pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
			pubsub.WithNoAuthor(),
			pubsub.WithMessageIdFn(contentID),
		)
	}
	if args.partial != "" {
		options = append(options, pubsub.WithPartialMessagesExtension(groups.extension()))
	}
	made, err := router(host, args.pubsub, options)
	if err != nil {
		return nil, err
	}
	groups.pubsub = made
	return &topics{
		pubsub: made, self: host.ID(), journal: journal, tracer: tracer, groups: groups, partial: args.partial,
		joined: map[string]*pubsub.Topic{}, followed: map[string]*pubsub.Subscription{},
	}, nil
}

func router(host host.Host, protocol string, options []pubsub.Option) (*pubsub.PubSub, error) {
	switch protocol {
	case "gossipsub":
		options = append(options, pubsub.WithTestExtension(pubsub.TestExtensionConfig{}))
		return pubsub.NewGossipSub(context.Background(), host, options...)
	case "floodsub":
		return pubsub.NewFloodSub(context.Background(), host, options...)
	default:
		return nil, fmt.Errorf("unknown pub/sub protocol %s", protocol)
	}
}

// Messages without an author are known again by what they say.
func contentID(message *pb.Message) string {
	hash := sha256.Sum256(message.Data)
	return string(hash[:])
}

func (t *topics) act(r request) (any, error) {
	topic, err := t.join(r.Topic)
	if err != nil {
		return nil, err
	}
	switch r.Do {
	case "subscribe":
		return with{}, t.subscribe(topic)
	case "unsubscribe":
		t.unsubscribe(r.Topic)
		return with{}, nil
	case "publish":
		data := pattern(byte(r.Seed), 0, r.Bytes)
		return with{"sha256": digest(data)}, topic.Publish(context.Background(), data)
	case "publish_parts":
		group := group{r.Topic, r.Group}
		t.groups.add(group, r.Parts)
		return with{}, t.groups.publish(group)
	case "peers":
		peers := until(topic.ListPeers, func(peers []peer.ID) bool { return len(peers) == r.Count })
		return with{"peers": peers}, nil
	default: // mesh
		mesh := func() []peer.ID { return t.tracer.meshOf(r.Topic) }
		peers := until(mesh, func(peers []peer.ID) bool { return len(peers) >= r.Count })
		return with{"peers": peers}, nil
	}
}

func (t *topics) join(name string) (*pubsub.Topic, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if topic, is := t.joined[name]; is {
		return topic, nil
	}
	var options []pubsub.TopicOpt
	if name == t.partial {
		options = append(options, pubsub.RequestPartialMessages())
	}
	topic, err := t.pubsub.Join(name, options...)
	if err == nil {
		t.joined[name] = topic
	}
	return topic, err
}

// Follows a topic, and puts the messages of others into the journal.
func (t *topics) subscribe(topic *pubsub.Topic) error {
	subscription, err := topic.Subscribe(pubsub.WithBufferSize(waitingMessages))
	if err != nil {
		return err
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.followed[topic.String()] = subscription
	go func() {
		for {
			message, err := subscription.Next(context.Background())
			if err != nil {
				return // not followed any more
			}
			if message.ReceivedFrom != t.self {
				t.journal.record("message", received(message))
			}
		}
	}()
	return nil
}

func (t *topics) unsubscribe(name string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if subscription, is := t.followed[name]; is {
		subscription.Cancel()
		delete(t.followed, name)
	}
}

// Waits until a stream to a peer is open, and tells its protocol.
func (t *topics) protocol(id string) any {
	return t.journal.wait("stream", 1, func(stream with) bool { return stream["peer"] == id })[0]
}

// Waits until peers have said something so often.
func (t *topics) heard(word string, count int) any {
	heard := func() int { return t.tracer.heard(word) }
	return with{"count": until(heard, func(found int) bool { return found >= count })}
}

// Asks again and again until the answer is good.
func until[T any](ask func() T, isGood func(T) bool) T {
	for {
		if answer := ask(); isGood(answer) {
			return answer
		}
		time.Sleep(look)
	}
}

func received(message *pubsub.Message) with {
	author := ""
	if len(message.From) > 0 {
		author = message.GetFrom().String()
	}
	return with{
		"topic": message.GetTopic(), "author": orNil(author), "signed": len(message.Signature) > 0,
		"bytes": len(message.Data), "sha256": digest(message.Data),
	}
}

func digest(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}
