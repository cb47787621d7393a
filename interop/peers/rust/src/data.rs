//! The deterministic bytes of the echo tests, and what came back of them.

use sha2::{Digest, Sha256};

/// Byte `i` of the pattern with this seed (interop/README.md).
fn byte(seed: u8, i: u64) -> u8 {
    seed.wrapping_add(i as u8)
        .wrapping_add((i >> 8) as u8)
        .wrapping_add((i >> 16) as u8)
}

/// Fills `out` with the pattern from position `from`.
pub fn fill(seed: u8, from: u64, out: &mut [u8]) {
    for (i, slot) in out.iter_mut().enumerate() {
        *slot = byte(seed, from + i as u64);
    }
}

/// Whether `bytes` are the pattern from position `from`.
pub fn matches(seed: u8, from: u64, bytes: &[u8]) -> bool {
    bytes
        .iter()
        .enumerate()
        .all(|(i, b)| *b == byte(seed, from + i as u64))
}

/// The SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// The SHA-256 and the length of what was read.
#[derive(Default)]
pub struct Digested {
    hash: Sha256,
    /// Bytes read so far.
    pub bytes: u64,
}

impl Digested {
    /// Adds what was read next.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The digest in lower-case hex.
    pub fn hex(self) -> String {
        self.hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}
