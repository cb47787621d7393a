//! The TCP transport of libp2p.
