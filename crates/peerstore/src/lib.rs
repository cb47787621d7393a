//! A peerstore on disk.
