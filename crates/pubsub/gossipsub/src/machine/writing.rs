//! Writing: what waits for a peer leaves when its stream takes a frame.

use super::{Effects, Machine, topics};
use bytes::Bytes;
use sinew_identity::PeerId;
use sinew_machine::Instant;

impl Machine {
    /// Writes what waits for a peer, if its stream takes it.
    pub(super) fn write(&mut self, now: Instant, id: &PeerId, out: &mut Effects) {
        if self.links.is_writable(id)
            && let Some(frame) = self.next_frame(now, id, out)
        {
            self.tracer.sent(*id, &frame);
            self.links.send(id, frame, out);
        }
        let lost = self.links.get_mut(id).map(|peer| peer.outbox.take_lost());
        let lost = lost.unwrap_or_default();
        if !lost.is_empty() {
            self.counts.unsent += lost.len() as u64;
            self.scores.was_slow(id, lost.len());
        }
        lost.iter().for_each(|frame| self.tracer.dropped(*id, frame));
    }

    fn next_frame(&mut self, now: Instant, id: &PeerId, out: &mut Effects) -> Option<Bytes> {
        let outbox = &mut self.links.get_mut(id)?.outbox;
        outbox
            .control(|topic| topics::sub_opts(&self.params, topic, self.mesh.contains_key(topic)))
            .or_else(|| self.next_partial(now, id, out))
            .or_else(|| self.links.get_mut(id)?.outbox.next(now))
    }

    pub(super) fn write_all(&mut self, now: Instant, out: &mut Effects) {
        let peers: Vec<_> = self.links.iter().map(|(peer, _)| *peer).collect();
        peers.iter().for_each(|peer| self.write(now, peer, out));
    }
}
