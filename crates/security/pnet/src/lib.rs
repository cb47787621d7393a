//! Private networks: who does not know the pre-shared key cannot talk to the node at all.
//!
//! Speaks version 1 of the libp2p specifications (`pnet/Private-Networks-PSK-V1.md`, r0 of 2017-02-17): XSalsa20 with a
//! 24-byte nonce for each direction, sent once in clear, around every byte of a connection. It lies below the secure
//! channel and replaces nothing of it: it proves no peer, and alone it does not protect against changed bytes.
//!
//! ```
//! use sinew_pnet::PreSharedKey;
//!
//! let key = PreSharedKey::generate();
//! let file = key.to_swarm_key();
//! assert!(file.starts_with(b"/key/swarm/psk/1.0.0/\n/base16/\n"));
//! let read = PreSharedKey::from_swarm_key(&file)?;
//! assert_eq!(read.fingerprint(), key.fingerprint());
//! # Ok::<(), sinew_pnet::SwarmKeyError>(())
//! ```
//!
//! Hand the key to a node builder (`private_network`). Transports with a security of their own (QUIC, WebTransport,
//! WebRTC) cannot be wrapped, and a node with a key refuses to start with them.
//!
//! It deliberately does not speak the dialect of py-libp2p (Salsa20 with an 8-byte nonce), which is not the
//! specification's, and changes no key while a node runs.

mod cipher;
mod file;
mod key;
mod stream;
mod upgrade;

pub use cipher::NONCE;
pub use file::SwarmKeyFileError;
pub use key::{PreSharedKey, SwarmKeyError};
pub use stream::TruncatedNonce;
pub use upgrade::PrivateNetwork;
