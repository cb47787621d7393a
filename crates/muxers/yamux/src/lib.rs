//! The yamux stream multiplexer of libp2p, as a byte machine and a thin async shell.
