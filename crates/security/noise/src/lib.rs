//! The Noise XX secure channel of libp2p.
