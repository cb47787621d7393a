//! How far the names of others may lead.

/// Bounds on what one address may come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many `/dnsaddr` may follow each other. go-libp2p follows four; the public bootstrap nodes need two.
    pub depth: usize,
    /// Look-ups in all. rust-libp2p makes 32; the public bootstrap nodes need about 20.
    pub lookups: usize,
    /// Records that are read of one answer. A name of the public bootstrap nodes has six.
    pub records: usize,
    /// Addresses in all, as in go-libp2p. The rest is left out.
    pub results: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 4,
            lookups: 32,
            records: 32,
            results: 100,
        }
    }
}
