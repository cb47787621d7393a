//! The vocabulary that protocol logic shares with whatever runs it: ids, codes, instants and blame; the contract of
//! machines across peers; and the budget that muxers, transports and machines have for useless frames.
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
//! [`PeerMachine`] is the contract of those whose decisions go across peers: inputs come in with the time, effects go out,
//! and a driver (that of `sinew-runtime`, or a simulator) carries them out. Its streams go one way: inbound ones are read,
//! outbound ones written, as pubsub has it. Exchanges (a request and its answer) come with the first machine that has any.

mod blame;
mod budget;
pub mod code;
mod contract;
mod id;
mod protocol;
mod rng;
mod time;
mod timers;

pub use blame::{Blame, Culpable};
pub use budget::{BUDGET, Budget, Spent};
pub use code::CloseCode;
pub use contract::{Effect, EffectsOf, Failure, Input, InputOf, PeerMachine, PeerState, StreamInput, Weight};
pub use id::{CallId, ConnectionId, Direction, StreamId, StreamKey, Token};
pub use protocol::ProtocolId;
pub use rng::Rng;
pub use time::{Instant, WallTime};
pub use timers::Timers;
