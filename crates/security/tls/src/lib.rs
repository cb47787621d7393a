//! The TLS 1.3 secure channel of libp2p.

mod certificate;
mod config;
mod verifier;

pub use certificate::{Asn1Error, Certificate, CertificateError, peer_key, verify};
pub use config::{client_config, server_config};
pub use verifier::Verifier;
