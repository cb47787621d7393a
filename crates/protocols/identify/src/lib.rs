//! The identify and identify/push protocols of libp2p.
