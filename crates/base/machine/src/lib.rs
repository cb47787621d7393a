//! The vocabulary that protocol logic shares with whatever runs it: ids, codes, instants and blame; and the budget that
//! muxers and transports have for useless frames.
//!
//! A *machine* is protocol logic without input and output: bytes or messages go in, decisions come out, and
//! time is an argument. This crate holds the words for that and nothing else: it has no clock, no entropy and
//! no async. `docs/architecture.md` says which protocols are machines.
//!
//! ```
//! use sinew_machine::{Instant, ProtocolId};
//! use std::time::Duration;
//!
//! let start = Instant::ZERO;
//! let deadline = start + Duration::from_secs(10);
//! assert_eq!(deadline.saturating_duration_since(start), Duration::from_secs(10));
//! assert_eq!(ProtocolId::from("/ipfs/ping/1.0.0").as_str(), "/ipfs/ping/1.0.0");
//! ```
//!
//! It deliberately does not hold the contract of peer machines (inputs and effects) before the first of them
//! exists.

mod blame;
mod budget;
pub mod code;
mod id;
mod protocol;
mod time;

pub use blame::{Blame, Culpable};
pub use budget::{BUDGET, Budget, Spent};
pub use code::CloseCode;
pub use id::{ConnectionId, Direction, StreamId};
pub use protocol::ProtocolId;
pub use time::{Instant, WallTime};
