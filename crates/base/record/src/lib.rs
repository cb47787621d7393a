//! libp2p signed envelopes, peer records and record validators.
