//! How far the names of others may lead.

/// Bounds on what one address may come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// How many `/dnsaddr` may follow each other. go-libp2p follows four.
    pub depth: usize,
    /// Look-ups in all. rust-libp2p makes 32.
    pub lookups: usize,
    /// Records that are read of one answer. The name in the specification has six, and rust-libp2p reads 16.
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
