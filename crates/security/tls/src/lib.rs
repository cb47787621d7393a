//! The TLS 1.3 secure channel of libp2p.
