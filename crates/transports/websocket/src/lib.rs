//! The WebSocket transport of libp2p, plain and secure.
//!
//! Follows the libp2p specification `websockets/README.md` (r0 of 2024-10-23) and RFC 6455. Addresses are
//! `/ip4|ip6/<ip>/tcp/<port>/ws`, over TLS `/tls/ws`, `/tls/sni/<name>/ws` and the older `/wss`, each with
//! `/http-path/<path>` where a server has several ([`WsAddr`]). Bytes travel in binary messages whose borders mean nothing
//! ([`machine`]).
//!
//! A dialler verifies the server of a secure address against the roots of the platform, or against its own; a listener
//! has the application's [`Certificate`], which can be exchanged while it listens. TCP and WebSocket share a port where
//! both have the same [`TcpSockets`](sinew_socket::TcpSockets).
//!
//! ```
//! use sinew_core::{DialRequest, Link, ListenerEvent, Purpose, Transport, Unlimited};
//! use sinew_websocket::WebSocketTransport;
//! use std::sync::Arc;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let transport = WebSocketTransport::new();
//! let mut listener = transport.listen(&"/ip4/127.0.0.1/tcp/0/ws".parse().unwrap()).await.unwrap();
//! let there = listener.addresses().remove(0);
//! let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
//! let accepting = async {
//!     let ListenerEvent::Incoming(incoming) = listener.next().await else { panic!() };
//!     incoming.finish(Arc::new(Unlimited)).await
//! };
//! let (Link::Raw(mut ours), Link::Raw(mut theirs)) =
//!     tokio::try_join!(transport.dial(&there, request), accepting).unwrap() else { panic!() };
//! ours.io.write_all(b"hello").await.unwrap();
//! ours.io.flush().await.unwrap();
//! let mut hello = [0; 5];
//! theirs.io.read_exact(&mut hello).await.unwrap();
//! assert_eq!((&hello, ours.transport), (b"hello", Some("ws")));
//! # });
//! ```
//!
//! What it deliberately does not do: resolve names (the host's; the name goes on in `/sni`), proxies, extensions
//! (libp2p's bytes are encrypted, so that compression gains nothing), pings of its own (muxers have theirs), and deadlines
//! (its caller's).

mod accept;
mod addr;
mod certificate;
mod error;
mod http;
pub mod machine;
mod stream;
mod tls;
mod transport;

pub use addr::{Security, WsAddr};
pub use certificate::Certificate;
pub use error::{CertificateError, HandshakeError};
pub use http::MAX_HEAD;
pub use transport::WebSocketTransport;
