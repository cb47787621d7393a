//! What every transport, secure upgrade and muxer has to do, as suites that an implementation runs in its own tests.
//!
//! The rules are those of the traits in `sinew-core`. Each suite has a slow reader beside a fast stream, half-close
//! both ways, a reset in both directions, opening beyond the backlog, a drop at every await, close during open, and a
//! hostile other side. A check that takes longer than a minute has failed, so run the suites of upgrades and muxers on a
//! paused clock, where that minute takes no time:
//!
//! ```
//! # use sinew_core::{MuxerUpgrade, SecureUpgrade};
//! # use std::sync::Arc;
//! use sinew_conformance::muxer;
//!
//! # fn upgrade() -> Arc<dyn MuxerUpgrade> { unreachable!() }
//! // In a test: #[tokio::test(start_paused = true)]
//! async fn conforms() {
//!     muxer::check(upgrade()).await;
//! }
//! ```
//!
//! [`muxer::breaches`] and its siblings return what is wrong instead of panicking; this crate's own tests hand them
//! implementations that are broken on purpose.
//! [`muxer::stack_breaches`] asks a whole stack what depends on all of its layers; the facade's tests hand it every product
//! of transport, security and muxer.
//!
//! It deliberately knows no implementation, and no crate may depend on it but for its tests.

mod fault;
mod io;
pub mod muxer;
mod pattern;
mod scope;
pub mod security;
pub mod transport;

pub use fault::Breach;
