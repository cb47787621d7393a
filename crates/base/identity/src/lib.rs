//! libp2p keys, signatures, peer ids and key files.
