//! Everything that happened, as one number.

use std::fmt;

/// A hash of all that was told to it, in its order. The same in every process; it says whether two runs were the same run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Trace(u64);

impl Trace {
    /// Takes in a number.
    pub(crate) fn word(&mut self, word: u64) {
        // The step of FxHash: quick, and nobody here wants to deceive us.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Takes in bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.word(u64::from(*byte)));
        self.word(bytes.len() as u64);
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    fn of(parts: &[&[u8]]) -> Trace {
        let mut trace = Trace::default();
        parts.iter().for_each(|part| trace.bytes(part));
        trace
    }

    #[test]
    fn every_byte_and_every_border_counts() {
        let whole = of(&[b"0123456789"]);
        assert_eq!(whole, of(&[b"0123456789"]));
        assert_ne!(whole, of(&[b"0123456788"]));
        assert_ne!(whole, of(&[b"1123456789"]));
        assert_ne!(whole, of(&[b"01234", b"56789"]));
    }
}
