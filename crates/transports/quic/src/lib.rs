//! The QUIC transport of libp2p.
