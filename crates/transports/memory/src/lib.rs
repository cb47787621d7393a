//! The memory transport: connections inside one process, for tests.
//!
//! There is no specification; the addresses `/memory/<number>` are those of rust-libp2p and go-libp2p, and have no
//! meaning outside the process. Like the port of a socket, `/memory/0` stands for a number that is free. Nothing here
//! tells the time, so whole hosts run on a paused clock.
//!
//! ```
//! use sinew_core::{DialRequest, ListenerEvent, Purpose, Transport, Unlimited};
//! use sinew_memory::MemoryTransport;
//! use std::sync::Arc;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let transport = MemoryTransport::new();
//! let mut listener = transport.listen(&"/memory/0".parse().unwrap()).await.unwrap();
//! let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
//! transport.dial(&listener.addresses()[0], request).await.unwrap();
//! assert!(matches!(listener.next().await, ListenerEvent::Incoming(_)));
//! # });
//! ```
//!
//! It deliberately simulates neither latency nor loss: the link model belongs to the simulator.

mod addr;
mod listener;
mod registry;
mod transport;

pub use transport::MemoryTransport;
