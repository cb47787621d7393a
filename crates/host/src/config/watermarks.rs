//! When connections are closed because there are too many.

use super::Limits;
use std::time::Duration;

/// When connections are closed because there are too many, and which are not.
///
/// More than `high` of both directions, and those that are worth least are closed until `low` are left: of the peers with the
/// lowest [tags](sinew_core::Tag) first, then those that nobody uses, inbound ones, and those that were of no use for longest.
/// Never one of a protected peer, one that an allow list lets in, or one younger than `grace`.
///
/// Inbound ones have marks of their own, whatever these are: more than seven eighths of
/// [`Limits::inbound_connections`], and they are trimmed likewise until three quarters are left. So strangers who hold
/// all places, and a stream on each, keep newcomers out for no longer than `grace` and `silence` together. Where
/// [`Limits::inbound_connections`] is less than eight there are no such marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Watermarks {
    /// How many connections are left.
    pub low: usize,
    /// With how many nothing is done yet.
    pub high: usize,
    /// How old a connection has to be: time to show what it is good for. 20 s unless told, as in go-libp2p.
    pub grace: Duration,
    /// The least time between two trims that nobody asked for. 10 s unless told, as in go-libp2p.
    pub silence: Duration,
    /// How many peers keep one connection at least, whatever the watermarks say. None unless told.
    pub min_peers: usize,
}

impl Watermarks {
    /// Trims from more than `high` to `low` connections.
    #[must_use]
    pub fn new(low: usize, high: usize) -> Self {
        Self {
            low,
            high,
            grace: Duration::from_secs(20),
            silence: Duration::from_secs(10),
            min_peers: 0,
        }
    }

    /// Three quarters and five eighths of all connections that the limits allow.
    #[must_use]
    pub fn of(limits: &Limits) -> Self {
        let eighth = |parts: usize| limits.connections() / 8 * parts;
        Self::new(eighth(5), eighth(6))
    }

    /// Sets [`Watermarks::grace`].
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets [`Watermarks::silence`].
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Sets [`Watermarks::min_peers`].
    #[must_use]
    pub fn min_peers(mut self, min_peers: usize) -> Self {
        self.min_peers = min_peers;
        self
    }
}
