//! The QUIC transport of libp2p.
//!
//! Addresses are `/ip4/<ip>/udp/<port>/quic-v1` and `/ip6/<ip>/udp/<port>/quic-v1`, with or without a peer at the end
//! ([addressing](https://github.com/libp2p/specs/blob/master/addressing/README.md), r0 of 2021-07-22;
//! [QUIC](https://github.com/libp2p/specs/blob/master/quic/README.md), r0 of 2022-12-30), on version 1 of RFC 9000.
//! Security is TLS 1.3 with the libp2p certificate of `sinew-tls`, checked inside the handshake together with the
//! peer that the dialler expects, and streams are QUIC's own: a connection is finished after one round trip.
//!
//! One UDP socket listens and dials, so that a NAT in between shows one address for both and holes can be punched. A
//! listener on a wildcard reports the addresses of the machine's interfaces and follows them.
//!
//! ```
//! use sinew_core::{DialRequest, ListenerEvent, Purpose, Transport, Unlimited};
//! use sinew_identity::Keypair;
//! use sinew_quic::{Certificate, Config, QuicTransport};
//! use std::sync::Arc;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let certificate = || Certificate::new(&Keypair::generate()).unwrap();
//! let ours = QuicTransport::new(certificate(), Config::default());
//! let theirs = QuicTransport::new(certificate(), Config::default());
//! let mut listener = theirs.listen(&"/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()).await.unwrap();
//! let addr = listener.addresses().remove(0);
//! let accepting = async {
//!     let ListenerEvent::Incoming(incoming) = listener.next().await else { panic!() };
//!     incoming.finish(Arc::new(Unlimited)).await
//! };
//! let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
//! let (dialled, accepted) = tokio::join!(ours.dial(&addr, request), accepting);
//! assert!(dialled.is_ok() && accepted.is_ok());
//! # });
//! ```
//!
//! It deliberately resolves no names, resumes no sessions and sends no early data (which would skip the check of the
//! peer), offers no datagrams, and takes no streams of one direction. It sets no deadline for a dial: its caller drops
//! the future.

mod config;
mod congestion;
mod endpoint;
mod error;
mod handshake;
mod held;
mod listener;
mod muxer;
mod punch;
mod runtime;
mod socket;
mod transport;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use error::{Cause, Failure};
pub use sinew_tls::Certificate;
pub use transport::QuicTransport;
