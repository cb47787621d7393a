//! The ping protocol of libp2p: is a peer there, and how far away is it?
//!
//! Specification: [ping](https://github.com/libp2p/specs/blob/master/ping/ping.md) (r0, 2022-11-04),
//! `/ipfs/ping/1.0.0`. The asker sends 32 random bytes, the other side sends them back, as often as the asker likes.
//!
//! ```
//! use sinew_core::{Host, PeerId};
//! use sinew_ping::{Ping, PingError};
//! use std::time::Duration;
//!
//! async fn how_far(ping: &Ping, peer: PeerId) -> Result<(), PingError> {
//!     println!("{:?}", ping.ping(peer).await?);
//!     let mut pings = ping.pings(peer, Duration::from_secs(1));
//!     for _ in 0..3 {
//!         println!("{:?}", pings.next().await?);
//!     }
//!     pings.finish().await;
//!     Ok(())
//! }
//! ```
//!
//! A failed ping says something about that ping and nothing else: no connection is closed for it. After an unanswered one
//! the next goes over a new stream.
//!
//! It deliberately has no machine and so no form without its async half: the protocol makes no decision that could be
//! taken out of the two loops that read and write.

mod client;
mod config;
mod error;
mod exchange;

pub use client::{Ping, Pings};
pub use config::Config;
pub use error::PingError;

use sinew_core::ProtocolId;

/// The name of the protocol.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/ipfs/ping/1.0.0");

/// The length of a ping, and of its echo.
// spec: ping, Protocol: 32 bytes of random data, sent back as they are
pub const SIZE: usize = 32;
