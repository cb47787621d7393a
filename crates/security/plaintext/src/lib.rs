//! The insecure plaintext/2.0.0 exchange of libp2p, for tests.
