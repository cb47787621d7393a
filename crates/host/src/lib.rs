//! The libp2p host of Sinew: dialling, listening, upgrading, handlers, peerstore and limits.
