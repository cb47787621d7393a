//! SHA-256, at once and in parts.

use std::fmt;

use aws_lc_rs::digest;

/// The SHA-256 digest of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    array(&digest::digest(&digest::SHA256, data))
}

/// A SHA-256 digest whose input arrives in parts.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// A digest of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Appends `data` to what is digested.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of all that was appended.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        array(&self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}

fn array(digest: &digest::Digest) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4 examples, "abc" (NIST, Secure Hash Standard examples).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_standard_example() {
        assert_eq!(hex::encode(sha256(b"abc")), ABC);
    }

    #[test]
    fn parts_give_the_digest_of_the_whole() {
        let mut parts = Sha256::new();
        parts.update(b"a");
        let mut fork = parts.clone();
        parts.update(b"bc");
        fork.update(b"b");
        assert_eq!(hex::encode(parts.finish()), ABC);
        assert_eq!(fork.finish(), sha256(b"ab"));
    }
}
