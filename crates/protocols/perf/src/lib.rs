//! The perf protocol of libp2p: how many bytes a second two machines of your own can move.
//!
//! Specification: [perf](https://github.com/libp2p/specs/blob/master/perf/perf.md) (r0, 2022-11-16), `/perf/1.0.0`. The
//! client says how many bytes it wants, uploads as many as it likes and ends; then the server sends what was wanted.
//! The server also serves the second dialect that runs under this name (see [`Config`]).
//!
//! ```
//! use sinew_core::{Host, PeerId};
//! use sinew_perf::{Amount, Perf, PerfError, Request};
//!
//! async fn how_fast(perf: &Perf, peer: PeerId) -> Result<(), PerfError> {
//!     let request = Request::default().upload(Amount::Bytes(100 << 20));
//!     let report = perf.run(peer, request, |live| println!("{} bytes", live.uploaded)).await?;
//!     println!("{:.2} Gbit/s", report.upload.gigabits_per_second());
//!     Ok(())
//! }
//! ```
//!
//! It lets whoever is let in ask for any amount of work. So it is in no preset, should not be added to a node that
//! strangers reach, and can be limited to some peers with [`Config::only_for`].
//!
//! It deliberately has no machine and so no form without its async half: what it decides is one question, which dialect
//! a client speaks.

mod client;
mod config;
mod dialect;
mod error;
mod report;
mod server;

pub use client::Perf;
pub use config::Config;
pub use error::PerfError;
pub use report::{Amount, Live, Report, Request, Transfer};

use sinew_core::ProtocolId;

/// The name of the protocol.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/perf/1.0.0");
