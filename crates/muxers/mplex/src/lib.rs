//! The mplex stream multiplexer of libp2p, for peers that have nothing else.
