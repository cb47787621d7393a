//! libp2p keys, signatures, peer ids and key files.
//!
//! By the libp2p specification *Peer Ids and Keys* (peer-ids, revision r2 of 2021-04-30). An identity is a key of one of
//! four types: Ed25519, Secp256k1, ECDSA on P-256, RSA. A [`PeerId`] names it.
//!
//! ```
//! use sinew_identity::{Keypair, PeerId, PublicKey};
//!
//! let key = Keypair::generate();
//! let signature = key.sign(b"hello")?;
//!
//! let public = PublicKey::from_protobuf(&key.public().to_protobuf())?;
//! assert!(public.verify(b"hello", &signature));
//!
//! let peer: PeerId = key.peer_id().to_string().parse()?;
//! assert_eq!(peer, public.peer_id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it deliberately does not do: it encrypts no stored keys, keeps no register of keys, and knows neither addresses
//! nor records. Everything that signs takes a [`Signer`], so that a key may live outside the process.

mod asn1;
mod asn1_private;
mod error;
mod key_file;
mod key_file_error;
mod key_type;
mod keypair;
mod peer_id;
mod peer_id_text;
mod private_forms;
mod protobuf;
mod public_key;
mod secp256k1;
pub mod secret_file;
mod signer;

pub use error::{Asn1Error, KeyError, PemError, PemSyntaxError, SigningError};
pub use key_file::{KeyFile, KeyFormat};
pub use key_file_error::{KeyFileError, KeyFileFault};
pub use key_type::KeyType;
pub use keypair::{Keypair, UnsupportedRsaSize};
pub use peer_id::{MAX_INLINE_KEY, MAX_PEER_ID, PeerId, PeerIdError};
pub use public_key::PublicKey;
pub use secret_file::Existing;
pub use signer::Signer;
