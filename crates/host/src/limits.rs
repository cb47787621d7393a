//! The tree of resource scopes: what the node, each peer, each protocol and each connection may hold.
//!
//! ```text
//! system ─┬─ peer ──── connection ── stream
//!         └─ protocol ───────────────┘
//! ```
//!
//! A charge counts in every scope above it, or in none: the limits of all are looked at before any of them counts.
//! A connection charges the system alone until its peer is known, and a stream its connection until its protocol
//! is; then all that they hold is counted there too, at once, or the step is refused and nothing changes.
//!
//! What is the node's lies in atomics, what is a connection's or a peer's behind a lock of its own, taken in this
//! order. Opening a stream and charging memory therefore meet nobody but those who use the same peer.

mod connection;
mod meter;
mod peer;
mod pool;
mod protocol;
mod refusals;
mod scopes;
mod stream;
mod system;
#[cfg(test)]
mod tests;
mod whose;

pub(crate) use connection::Place;
pub(crate) use meter::Meter;
pub(crate) use refusals::Refused;
pub(crate) use stream::StreamPlace;
pub(crate) use system::System;
pub(crate) use whose::Whose;
