//! Numbers that look random and are the same for the same seed: SplitMix64.

/// The generator.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// From a seed, any number.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Even among the numbers below `end`, but for one part in a billion.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (((mixed >> 32) * u64::from(end)) >> 32) as u32
    }
}
