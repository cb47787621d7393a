//! Plaintext: an upgrade that secures nothing, for tests and for looking at what goes over the wire.
//!
//! Follows the libp2p specification `plaintext/README.md` (r0), `/plaintext/2.0.0`: both sides say who they are, and
//! are believed. Anybody can claim to be anybody, and everybody on the way can read and change every byte. A node that
//! offers it beside a real security protocol lets its peers choose to go without.
//!
//! ```
//! use sinew_core::{Role, SecureRequest, SecureUpgrade};
//! use sinew_identity::Keypair;
//! use sinew_plaintext::InsecurePlaintext;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = (Keypair::generate(), Keypair::generate());
//! let (here, there) = tokio::io::duplex(1024);
//! let dialer = InsecurePlaintext::new(alice.public());
//! let listener = InsecurePlaintext::new(bob.public());
//! let (dialed, accepted) = tokio::try_join!(
//!     dialer.secure(Box::new(here), SecureRequest::new(Role::Dialer, Some(bob.peer_id()), vec![])),
//!     listener.secure(Box::new(there), SecureRequest::new(Role::Listener, None, vec![])),
//! )?;
//! assert_eq!((dialed.peer, accepted.peer), (bob.peer_id(), alice.peer_id()));
//! # Ok(())
//! # }
//! ```
//!
//! What it deliberately does not do: protect anything. It agrees on no muxer either.

pub mod exchange;
mod generated;
mod resumed;
mod upgrade;

pub use exchange::ExchangeError;
pub use upgrade::{InsecurePlaintext, PROTOCOL};
