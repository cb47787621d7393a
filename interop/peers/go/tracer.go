// What the library tells of itself while it publishes and subscribes.

package main

import (
	"maps"
	"slices"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

type tracer struct {
	journal *journal

	mutex  sync.Mutex
	meshes map[string]map[peer.ID]struct{}
	// How often peers have said what.
	words map[string]int
}

func newTracer(journal *journal) *tracer {
	return &tracer{journal: journal, meshes: map[string]map[peer.ID]struct{}{}, words: map[string]int{}}
}

func (t *tracer) meshOf(topic string) []peer.ID {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return slices.Collect(maps.Keys(t.meshes[topic]))
}

func (t *tracer) heard(word string) int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.words[word]
}

func (t *tracer) OnNewOutboundStream(id peer.ID, protocol protocol.ID) {
	t.journal.record("stream", with{"peer": id.String(), "protocol": string(protocol)})
}

func (t *tracer) Join(topic string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.meshes[topic] = map[peer.ID]struct{}{}
}

func (t *tracer) Leave(topic string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.meshes, topic)
}

func (t *tracer) Graft(id peer.ID, topic string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if mesh := t.meshes[topic]; mesh != nil {
		mesh[id] = struct{}{}
	}
}

func (t *tracer) Prune(id peer.ID, topic string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.meshes[topic], id)
}

func (t *tracer) RecvRPC(rpc *pubsub.RPC) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, idontwant := range rpc.GetControl().GetIdontwant() {
		t.words["idontwant"] += len(idontwant.GetMessageIDs())
	}
	if rpc.TestExtension != nil {
		t.words["test_extension"]++
	}
}

func (t *tracer) OnClosedOutboundStream(peer.ID)        {}
func (t *tracer) ValidateMessage(*pubsub.Message)       {}
func (t *tracer) DeliverMessage(*pubsub.Message)        {}
func (t *tracer) RejectMessage(*pubsub.Message, string) {}
func (t *tracer) DuplicateMessage(*pubsub.Message)      {}
func (t *tracer) ThrottlePeer(peer.ID)                  {}
func (t *tracer) SendRPC(*pubsub.RPC, peer.ID)          {}
func (t *tracer) DropRPC(*pubsub.RPC, peer.ID)          {}
func (t *tracer) UndeliverableMessage(*pubsub.Message)  {}
