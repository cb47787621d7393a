//! Peers of which nothing is taken, for a while or for ever.

use super::{Effects, Machine};
use sinew_floodsub::Message;
use sinew_identity::PeerId;
use sinew_machine::{Instant, code};
use std::time::Duration;

impl Machine {
    /// Takes nothing of a peer from now on for a while; none takes that back.
    pub(super) fn block(&mut self, now: Instant, peer: PeerId, wait: Duration, out: &mut Effects) {
        if wait.is_zero() {
            return self.unblock(peer, out);
        }
        self.blocked.insert(peer, now + wait);
        self.links.silence(&peer, code::stream::GATED, out);
        self.void(peer, out);
    }

    /// Takes what a peer says again. It has to open another stream, on which it says which topics it follows.
    fn unblock(&mut self, peer: PeerId, out: &mut Effects) {
        if self.blocked.remove(&peer).is_some() {
            self.links.silence(&peer, code::stream::GARBAGE_COLLECTED, out);
        }
    }

    /// Does that with all whose time is over.
    pub(super) fn unblock_over(&mut self, now: Instant, out: &mut Effects) {
        let over = self.blocked.iter().filter(|(_, until)| **until <= now);
        let over: Vec<_> = over.map(|(peer, _)| *peer).collect();
        over.into_iter().for_each(|peer| self.unblock(peer, out));
    }

    pub(super) fn is_blocked(&self, now: Instant, peer: &PeerId) -> bool {
        self.blocked.get(peer).is_some_and(|until| *until > now)
    }

    /// Whether a message was written by such a peer.
    pub(super) fn is_by_blocked(&self, now: Instant, message: &Message) -> bool {
        let author = message.from().and_then(|bytes| PeerId::from_bytes(bytes).ok());
        author.is_some_and(|author| self.is_blocked(now, &author))
    }
}
