//! The ping protocol of libp2p.
