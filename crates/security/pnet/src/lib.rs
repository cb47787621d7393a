//! Private networks of libp2p: a pre-shared key below security.
