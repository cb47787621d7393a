//! The WebSocket transport of libp2p, plain and secure.
