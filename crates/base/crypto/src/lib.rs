//! The crypto seam of Sinew: the one crate that names the cryptography backend.
//!
//! Everything that hashes, seals, agrees on keys, signs or draws random bytes goes through here, so that
//! another backend can take the seat of aws-lc-rs by replacing this crate alone. Standards: SHA-256
//! (FIPS 180-4), X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439) with the 64-bit counter nonces of the
//! Noise framework (revision 34, section 12.3), Ed25519 (RFC 8032), ECDSA on P-256 (FIPS 186-5), RSA PKCS#1 v1.5
//! (RFC 8017). With the feature `tls`, the primitives of TLS 1.3 (RFC 8446) in the form that rustls takes.
//!
//! ```
//! use sinew_crypto::{aead, random, sha256, x25519};
//!
//! let (alice, bob) = (x25519::Secret::generate(), x25519::Secret::generate());
//! let shared = alice.agree(&bob.public())?;
//! assert_eq!(shared, bob.agree(&alice.public())?);
//!
//! let key = aead::Key::noise(&sha256(&shared[..]));
//! let mut text = *b"hello";
//! let tag = key.seal_in_place(0, b"", &mut text);
//! let sealed = [&text[..], &tag[..]].concat();
//! let mut plain = [0; 5];
//! key.open_into(0, b"", &sealed, &mut plain)?;
//! assert_eq!(&plain, b"hello");
//!
//! random(&mut plain);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it deliberately does not do: it knows no libp2p format, stores no keys, and offers no choice of
//! algorithm at run time.

pub mod aead;
pub mod ed25519;
pub mod p256;
mod random;
pub mod rsa;
mod sha256;
mod signature;
#[cfg(feature = "tls")]
pub mod tls;
pub mod x25519;

pub use random::random;
pub use sha256::{Sha256, sha256};
pub use signature::{KeyRejected, SigningFailed};
