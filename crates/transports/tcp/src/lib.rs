//! The TCP transport of libp2p.
//!
//! Addresses are `/ip4/<ip>/tcp/<port>` and `/ip6/<ip>/tcp/<port>`, with or without a peer at the end
//! ([addressing](https://github.com/libp2p/specs/blob/master/addressing/README.md), r0 of 2021-07-22). A listener on a
//! wildcard reports the addresses of the machine's interfaces and follows them when they change. A dial shares the
//! port of a listener where its purpose allows it, so that a NAT in between shows one address for both.
//!
//! ```
//! use sinew_core::{DialRequest, Purpose, Transport, Unlimited};
//! use sinew_tcp::TcpTransport;
//! use std::sync::Arc;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let transport = TcpTransport::new();
//! let listener = transport.listen(&"/ip4/127.0.0.1/tcp/0".parse().unwrap()).await.unwrap();
//! let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
//! transport.dial(&listener.addresses()[0], request).await.unwrap();
//! # });
//! ```
//!
//! It deliberately resolves no names (that is the host's, through `sinew-dns`) and sets no deadline for a dial (its
//! caller drops the future).

mod transport;

pub use transport::TcpTransport;
