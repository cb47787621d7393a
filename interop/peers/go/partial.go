// Messages that come in parts: eight of 1 KiB, and a bit for each as metadata, as in the official gossipsub suite.

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"log/slog"
	"math/bits"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p-pubsub/partialmessages"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

const partLength = 1024

// The parts of one message; those that are not there are empty.
type parts [8][]byte

// Names a message.
type group struct {
	topic string
	id    uint64
}

// What there is of every message.
type groups struct {
	journal *journal
	pubsub  *pubsub.PubSub

	mutex  sync.Mutex
	groups map[group]parts
}

// What is between a peer and us of one message; nil is not known, or not said.
type view struct {
	theirs, told *byte
}

func newGroups(journal *journal) *groups {
	return &groups{journal: journal, groups: map[group]parts{}}
}

// What the library asks of us. It must not wait for the library, which waits for it.
func (g *groups) extension() *partialmessages.PartialMessagesExtension[view] {
	return &partialmessages.PartialMessagesExtension[view]{
		Logger: slog.New(slog.DiscardHandler),
		OnIncomingRPC: func(from peer.ID, views map[peer.ID]view, rpc *pb.PartialMessagesExtension) error {
			if len(rpc.GroupID) != 8 {
				return errors.New("the group is no number")
			}
			views[from] = views[from].heard(rpc)
			go g.take(group{rpc.GetTopicID(), binary.BigEndian.Uint64(rpc.GroupID)}, rpc.PartialMessage)
			return nil
		},
		OnEmitGossip: func(topic string, id []byte, _ []peer.ID, _ map[peer.ID]view) {
			go g.publish(group{topic, binary.BigEndian.Uint64(id)})
		},
	}
}

// Adds parts of a message, filled with numbers that count from the group's on.
func (g *groups) add(group group, bitmap byte) {
	var added parts
	for i := range added {
		if bitmap&(1<<i) == 0 {
			continue
		}
		for j := range partLength / 8 {
			number := group.id + uint64(i*partLength/8+j)
			added[i] = binary.BigEndian.AppendUint64(added[i], number)
		}
	}
	g.extend(group, added)
}

// Takes in what a peer has sent, and tells others of it.
func (g *groups) take(group group, encoded []byte) {
	received, err := decode(group, encoded)
	if err != nil {
		g.journal.record("malformed", with{"error": err.Error()})
		return
	}
	g.extend(group, received)
	g.publish(group)
}

func (g *groups) extend(group group, more parts) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	there := g.groups[group]
	before := there.bitmap()
	for i := range there {
		if len(there[i]) == 0 {
			there[i] = more[i]
		}
	}
	g.groups[group] = there
	if there.bitmap() != before {
		g.journal.record("parts", with{
			"topic": group.topic, "group": group.id, "parts": there.bitmap(), "sha256": digest(bytes.Join(there[:], nil)),
		})
	}
}

// Tells peers what there is of a message, and sends them what they lack.
func (g *groups) publish(group group) error {
	g.mutex.Lock()
	there := g.groups[group]
	g.mutex.Unlock()
	id := binary.BigEndian.AppendUint64(nil, group.id)
	return pubsub.PublishPartial(g.pubsub, group.topic, id, func(
		views map[peer.ID]view, asks func(peer.ID) bool,
	) iter.Seq2[peer.ID, partialmessages.PublishAction] {
		return func(yield func(peer.ID, partialmessages.PublishAction) bool) {
			for peer, view := range views {
				action := view.word(there, id, asks(peer))
				views[peer] = view
				if !yield(peer, action) {
					return
				}
			}
		}
	})
}

// What a peer says of itself, and what it has since it sent it.
func (v view) heard(rpc *pb.PartialMessagesExtension) view {
	for _, said := range [][]byte{rpc.PartsMetadata, rpc.PartialMessage} {
		if len(said) > 0 {
			v.theirs = merged(v.theirs, said[0])
		}
	}
	return v
}

// What a peer is to be told: what there is, unless it knows, and what it lacks, once it has said what it has.
func (v *view) word(there parts, id []byte, asks bool) (action partialmessages.PublishAction) {
	ours := there.bitmap()
	if asks && v.theirs != nil && ours&^*v.theirs != 0 {
		action.EncodedPartialMessage = there.encode(ours&^*v.theirs, id)
		v.theirs = merged(v.theirs, ours)
	}
	if v.told == nil || *v.told != ours {
		action.EncodedPartsMetadata = []byte{ours}
		v.told = &ours
	}
	return action
}

func merged(known *byte, said byte) *byte {
	if known != nil {
		said |= *known
	}
	return &said
}

// Which parts are there, the first in the lowest bit.
func (p parts) bitmap() (bitmap byte) {
	for i := range p {
		if len(p[i]) > 0 {
			bitmap |= 1 << i
		}
	}
	return bitmap
}

// Which parts, the parts, and the group.
func (p parts) encode(bitmap byte, id []byte) []byte {
	encoded := []byte{bitmap}
	for i := range p {
		if bitmap&(1<<i) != 0 {
			encoded = append(encoded, p[i]...)
		}
	}
	return append(encoded, id...)
}

// There are none where nothing is encoded.
func decode(group group, encoded []byte) (decoded parts, err error) {
	if len(encoded) == 0 {
		return decoded, nil
	}
	length := bits.OnesCount8(encoded[0]) * partLength
	if len(encoded) != 1+length+8 || binary.BigEndian.Uint64(encoded[1+length:]) != group.id {
		return decoded, errors.New("no parts of the group")
	}
	rest := encoded[1:]
	for i := range decoded {
		if encoded[0]&(1<<i) != 0 {
			decoded[i], rest = rest[:partLength:partLength], rest[partLength:]
		}
	}
	return decoded, nil
}
