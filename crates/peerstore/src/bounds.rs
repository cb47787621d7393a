//! How much a peerstore keeps.

/// Bounds of a peerstore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PeerstoreBounds {
    /// Peers; beyond it the one that was touched longest ago and is not connected is forgotten.
    pub peers: usize,
    /// Addresses a peer; beyond it the one that ends soonest is forgotten.
    pub addrs_per_peer: usize,
    /// Protocols a peer.
    pub protocols_per_peer: usize,
    /// Bytes of what is known of all peers, about; beyond it those that were touched longest ago and are not
    /// connected are forgotten, and those that are connected lose what they told beyond `bytes / peers` (but 4 KiB).
    pub bytes: usize,
}

impl Default for PeerstoreBounds {
    /// 10,000 peers, 64 addresses and 1,024 protocols each (the number of protocols that go-libp2p's identify
    /// keeps), and 64 MiB in all: honest peers take some 5 KB each, while 10,000 liars could say a GB.
    fn default() -> Self {
        Self {
            peers: 10_000,
            addrs_per_peer: 64,
            protocols_per_peer: 1024,
            bytes: 64 << 20,
        }
    }
}
