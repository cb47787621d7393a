//! Typed requests and responses over libp2p streams.
