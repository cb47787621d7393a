//! The certificate: ours, made once a node, and the rules for a peer's.
//!
//! A pure part: the time is an argument, and nothing waits.

mod error;
mod extension;
mod key_info;
mod own;
mod parsed;
mod rules;

pub use error::{Asn1Error, CertificateError};
pub(crate) use key_info::KeyInfo;
pub use own::Certificate;
pub(crate) use parsed::Parsed;
pub use rules::{peer_key, verify};
