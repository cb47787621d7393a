//! yamux: many streams over one connection, each with a window of its own.
//!
//! Speaks `/yamux/1.0.0` of the libp2p specifications (`yamux/README.md`, r0 of 2023-02-17, which is HashiCorp's
//! text), with what go-libp2p adds on the wire: codes of resets and of goodbyes in the length field, and receive
//! windows that grow with the measured round trip.
//!
//! The protocol is a byte machine, [`machine::Connection`], that knows no socket, no clock and no async; the shell
//! around it is `sinew-session`'s. Hand [`Yamux`] to a node builder,
//! or lay it over any bytes:
//!
//! ```
//! use sinew_core::{MuxerUpgrade, Role, Unlimited};
//! use sinew_yamux::Yamux;
//! use std::sync::Arc;
//! use tokio::io::AsyncWriteExt;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let (near, far) = tokio::io::duplex(64 * 1024);
//! let dialer = Yamux::default().mux(Box::new(near), Role::Dialer, Arc::new(Unlimited));
//! let listener = Yamux::default().mux(Box::new(far), Role::Listener, Arc::new(Unlimited));
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
//! What a peer can make a connection hold or do is bounded, see [`Config`] and [`machine::BUDGET`]. A chunk that
//! is read without copying is a slice of the buffer that the connection was read into, up to 128 KiB: copy what
//! you keep.
//!
//! It deliberately has no datagrams, no priorities among streams and no support for session ids other than 0.

mod config;
mod error;
pub mod machine;
mod shell;
mod upgrade;

pub use config::Config;
pub use error::Fault;
pub use upgrade::{PROTOCOL, Yamux};
