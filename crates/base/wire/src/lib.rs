//! Varints, length-prefixed frames, bounded protobuf decoding and multiaddr helpers for libp2p.
