//! TLS 1.3, the secure channel of libp2p over TCP, and the certificate that QUIC shares with it.
//!
//! Follows the libp2p specifications `tls/tls.md` (r0) and, for the muxer that is agreed on inside the handshake,
//! `connections/inlined-muxer-negotiation.md`. rustls runs the handshake (RFC 8446) on the primitives of
//! `sinew-crypto`; the records behind it are sealed and opened here, in buffers that are given back.
//!
//! ```
//! use sinew_core::{Role, SecureRequest, SecureUpgrade};
//! use sinew_identity::Keypair;
//! use sinew_tls::Tls;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = (Keypair::generate(), Keypair::generate());
//! let (here, there) = tokio::io::duplex(1024);
//! let dialer = Tls::new(&alice)?;
//! let listener = Tls::new(&bob)?;
//! let (dialed, accepted) = tokio::try_join!(
//!     dialer.secure(Box::new(here), SecureRequest::new(Role::Dialer, Some(bob.public().peer_id()), vec![])),
//!     listener.secure(Box::new(there), SecureRequest::new(Role::Listener, None, vec![])),
//! )?;
//! assert_eq!(accepted.peer, alice.public().peer_id());
//!
//! let (mut dialed, mut accepted) = (dialed.io, accepted.io);
//! dialed.write_all(b"hello").await?;
//! dialed.flush().await?;
//! let mut text = [0; 5];
//! accepted.read_exact(&mut text).await?;
//! assert_eq!(&text, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! What it deliberately does not do: names of servers, authorities that sign certificates, resumption, tickets, early
//! data (a resumed session would skip the check of the peer), deadlines (the caller's).

mod certificate;
mod channel;
mod config;
mod handshake;
mod record;
mod upgrade;
mod verifier;

pub use certificate::{Asn1Error, Certificate, CertificateError, peer_key, verify};
pub use config::{client_config, server_config};
pub use handshake::HandshakeError;
pub use record::RecordError;
pub use rustls::{KeyLog, KeyLogFile, NoKeyLog};
pub use upgrade::{PROTOCOL, Tls};
pub use verifier::Verifier;
