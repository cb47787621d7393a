//! Noise, the secure channel of libp2p.
//!
//! Follows the libp2p specification `noise/README.md` (r4): `Noise_XX_25519_ChaChaPoly_SHA256`, the static key signed
//! by the identity, and of the extensions `stream_muxers` (a muxer is agreed on inside the handshake,
//! `connections/inlined-muxer-negotiation.md`) and `webtransport_certhashes` (read, for those who check them).
//! snow runs the handshake on the primitives of `sinew-crypto`; the transport phase is sealed and opened here,
//! in place or straight into the reader's buffer.
//!
//! ```
//! use sinew_core::{Role, SecureRequest, SecureUpgrade};
//! use sinew_identity::Keypair;
//! use sinew_noise::Noise;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = (Keypair::generate(), Keypair::generate());
//! let (here, there) = tokio::io::duplex(1024);
//! let dialer = Noise::new(&alice)?;
//! let listener = Noise::new(&bob)?;
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
//! What it deliberately does not do: other patterns or ciphers, early data, deadlines (the caller's), and telling a
//! connection that was closed from one that was cut between two frames (the protocol above says goodbye, Noise
//! does not).

mod channel;
mod generated;
pub mod machine;
mod upgrade;

pub use upgrade::{Noise, PROTOCOL};
