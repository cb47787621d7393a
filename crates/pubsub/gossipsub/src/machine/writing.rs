//! Writing: what waits for a peer leaves when its stream takes a frame.

use super::{
    Effects, Machine,
    outbox::{Lane, Outbox},
    topics,
};
use bytes::Bytes;
use sinew_identity::PeerId;
use sinew_machine::Instant;
use std::cmp::Reverse;

impl Machine {
    /// Writes what waits for a peer, if its stream takes it.
    pub(super) fn write(&mut self, now: Instant, id: &PeerId, out: &mut Effects) {
        if self.links.is_writable(id)
            && let Some(frame) = self.next_frame(now, id, out)
        {
            self.write_frame(id, frame, out);
        }
        let lost = self.links.get_mut(id).map(|peer| peer.outbox.take_lost(now));
        let lost = lost.unwrap_or_default();
        if !lost.is_empty() {
            self.counts.unsent += lost.len() as u64;
            self.scores.was_slow(id, lost.len());
        }
        lost.iter().for_each(|frame| self.tracer.dropped(*id, frame));
    }

    /// Writes a frame for which nothing has to wait: what many peers are told at once takes no place in their queues.
    pub(super) fn write_frame(&mut self, id: &PeerId, frame: Bytes, out: &mut Effects) {
        self.tracer.sent(*id, &frame);
        self.links.send(id, frame, out);
    }

    fn next_frame(&mut self, now: Instant, id: &PeerId, out: &mut Effects) -> Option<Bytes> {
        let outbox = &mut self.links.get_mut(id)?.outbox;
        outbox
            .control(|topic| topics::sub_opts(&self.params, topic, self.mesh.contains_key(topic)))
            .or_else(|| self.next_partial(now, id, out))
            .or_else(|| self.links.get_mut(id)?.outbox.next(now))
    }

    /// Drops messages where too many wait for all peers together: those of others before our own, and first those for whom most
    /// waits, since they take them most slowly. A quarter of the room is free then.
    pub(super) fn make_room(&mut self, now: Instant, out: &mut Effects) {
        let max = self.params.max_queued_bytes;
        if self.pool.used() <= max {
            return;
        }
        let lanes: [fn(&mut Outbox) -> &mut Lane; 2] =
            [|outbox| &mut outbox.forwarded, |outbox| &mut outbox.own];
        for lane in lanes {
            let peers = self.links.iter_mut();
            let mut slowest: Vec<_> = peers
                .map(|(id, peer)| (Reverse(lane(&mut peer.outbox).bytes()), *id))
                .collect();
            slowest.sort_unstable();
            for (_, id) in slowest {
                if self.pool.used() <= max / 4 * 3 {
                    return;
                }
                if let Some(peer) = self.links.get_mut(&id) {
                    lane(&mut peer.outbox).clear();
                }
                self.write(now, &id, out);
            }
        }
    }

    pub(super) fn write_all(&mut self, now: Instant, out: &mut Effects) {
        let peers: Vec<_> = self.links.iter().map(|(peer, _)| *peer).collect();
        peers.iter().for_each(|peer| self.write(now, peer, out));
    }
}
