//! The identify and identify/push protocols of libp2p: who is at the other end, what does it speak, where does it listen,
//! and where does it see us?
//!
//! Specification: [identify](https://github.com/libp2p/specs/blob/master/identify/README.md) (r1, 2021-08-09),
//! `/ipfs/id/1.0.0` and `/ipfs/id/push/1.0.0`, with the signed peer record of RFC 0003 that other implementations add. Each
//! side of a new connection asks the other; whoever changes later pushes. What a peer says is checked and handed to the
//! host; the host never waits for it.
//!
//! ```
//! # #[cfg(feature = "service")]
//! use sinew_core::{Host, PeerId};
//! # #[cfg(feature = "service")]
//! use sinew_identify::{Handle, Identified};
//!
//! # #[cfg(feature = "service")]
//! async fn who(host: &Host, identify: &Handle, peer: PeerId) -> Result<(), Box<dyn std::error::Error>> {
//!     println!("{:?}", identify.identify(peer).await?.agent_version);
//!     let mut news = host.subscribe::<Identified>();
//!     while let Some(Identified { info, .. }) = news.next().await? {
//!         println!("{} serves {:?}", info.peer, info.protocols);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Without the default feature `service` the crate is the codec, the checks and the timed decisions alone.
//!
//! It deliberately does not decide which observed address is our own (the host keeps candidates, AutoNAT confirms them), and
//! believes nothing but signatures: agents, protocols and unsigned addresses are claims.

mod encode;
mod generated;
mod info;
mod machine;
mod message;

#[cfg(feature = "service")]
mod askers;
#[cfg(feature = "service")]
mod config;
#[cfg(feature = "service")]
mod error;
#[cfg(feature = "service")]
mod event;
#[cfg(feature = "service")]
mod exchange;
#[cfg(feature = "service")]
mod handle;
#[cfg(feature = "service")]
mod local;
#[cfg(feature = "service")]
mod pushes;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "service")]
mod shared;

pub use encode::{MAX_SENT_PART, MAX_SENT_WHOLE};
pub use info::{Extent, Info, Record, RecordError, WrongKey};
pub use machine::{
    Admission, Arrival, GATHER, Inbox, MAX_AT_ONCE, MAX_REFUSED, MAX_WAITING, Meter, Outbox, PUSH_INTERVAL,
};
pub use message::{MAX_ADDRS, MAX_PART, MAX_PARTS, MAX_PROTOCOLS, MAX_TEXT, Message, MessageError, Reading};

#[cfg(feature = "service")]
pub use {config::Config, error::IdentifyError, event::Identified, handle::Handle};

use sinew_machine::ProtocolId;

/// The protocol by which a peer is asked.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/ipfs/id/1.0.0");

/// The protocol by which a peer tells what changed.
pub const PUSH_PROTOCOL: ProtocolId = ProtocolId::from_static("/ipfs/id/push/1.0.0");
