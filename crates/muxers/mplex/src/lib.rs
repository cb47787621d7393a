//! mplex: many streams over one connection, without flow control, for peers that have nothing else.
//!
//! Speaks `/mplex/6.7.0` of the libp2p specifications (`mplex/README.md`, r0 of 2018-10-10), which deprecates it. No
//! preset of a node has it: add it where an old peer asks for it, behind yamux.
//!
//! The protocol cannot tell a sender to wait, so one stream that nobody reads holds up its whole connection. That is
//! bounded: after [`Config::patience`] without a read the stream is reset and the others go on. What a peer can make a
//! connection hold or do is bounded too, see [`Config`] and [`machine::BUDGET`].
//!
//! The protocol is a byte machine, [`machine::Connection`], that knows no socket, no clock and no async; the shell
//! around it is `sinew-session`'s.
//!
//! ```
//! use sinew_core::{MuxerUpgrade, Role, Unlimited};
//! use sinew_mplex::Mplex;
//! use std::sync::Arc;
//! use tokio::io::AsyncWriteExt;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let (near, far) = tokio::io::duplex(64 * 1024);
//! let dialer = Mplex::default().mux(Box::new(near), Role::Dialer, Arc::new(Unlimited));
//! let listener = Mplex::default().mux(Box::new(far), Role::Listener, Arc::new(Unlimited));
//! # let scope = sinew_runtime::TaskScope::new("example");
//! # scope.spawn("near", async { dialer.driver.await; });
//! # scope.spawn("far", async { listener.driver.await; });
//! let mut stream = dialer.handle.open().await.unwrap();
//! stream.write_all(b"hello").await.unwrap();
//! let mut accept = listener.accept;
//! let mut heard = std::future::poll_fn(|cx| accept.poll_accept(cx)).await.unwrap();
//! let chunk = std::future::poll_fn(|cx| heard.poll_chunk(cx, 1024)).await.unwrap().unwrap();
//! assert_eq!(&chunk[..], b"hello");
//! # });
//! ```
//!
//! It deliberately carries no codes, measures no round trip, and neither sends nor keeps names of streams.

mod config;
mod error;
pub mod machine;
mod shell;
mod upgrade;

pub use config::Config;
pub use error::Fault;
pub use upgrade::{Mplex, PROTOCOL};
