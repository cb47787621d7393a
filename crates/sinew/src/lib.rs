//! The libp2p networking stack for Rust.
