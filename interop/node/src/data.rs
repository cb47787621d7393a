//! The deterministic bytes of the echo tests (interop/README.md, the pattern), and what came back of them.

use sinew_crypto::Sha256;

/// Fills `out` with the pattern of this seed from position `from`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the pattern is defined modulo 256"
)]
pub(crate) fn fill(seed: u8, from: u64, out: &mut [u8]) {
    for (i, slot) in (from..).zip(out) {
        *slot = seed
            .wrapping_add(i as u8)
            .wrapping_add((i >> 8) as u8)
            .wrapping_add((i >> 16) as u8);
    }
}

/// Whether `bytes` are the pattern of this seed from position `from`.
pub(crate) fn matches(seed: u8, from: u64, bytes: &[u8]) -> bool {
    let mut wanted = vec![0; bytes.len()];
    fill(seed, from, &mut wanted);
    wanted == bytes
}

/// The SHA-256 and the length of what was read.
pub(crate) struct Digested {
    hash: Sha256,
    bytes: u64,
}

impl Digested {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Adds what was read next.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest in lower-case hex.
    pub(crate) fn hex(self) -> String {
        hex::encode(self.hash.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every program of the suite computes these; they stand in the runner, too.
    #[test]
    fn the_pattern_of_1000_bytes_has_the_digest_of_the_others() {
        let mut bytes = vec![0; 1000];
        fill(0, 0, &mut bytes);
        let mut digested = Digested::new();
        digested.update(&bytes);
        assert_eq!(digested.bytes(), 1000);
        assert_eq!(
            digested.hex(),
            "30088ee7b9c1707b6a061c1ec25d9e822a3bb1f2105c3c3c577f3d56e75c4c2a"
        );
    }

    #[test]
    fn a_moved_block_does_not_match() {
        let mut bytes = vec![0; 512];
        fill(7, 70_000, &mut bytes);
        assert!(matches(7, 70_000, &bytes));
        bytes.rotate_left(256);
        assert!(!matches(7, 70_000, &bytes));
        assert!(!matches(8, 70_000, &bytes));
    }
}
