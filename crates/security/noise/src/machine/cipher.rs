//! One direction of the transport phase: a key and a counter that never comes back.

use sinew_crypto::aead::{Key, TAG};

use super::FrameError;

/// A key that is used once with each counter, from zero upwards.
#[derive(Debug)]
pub(crate) struct Counted {
    key: Key,
    counter: u64,
}

impl Counted {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self {
            key: Key::noise(key),
            counter: 0,
        }
    }

    /// Seals `text` where it lies.
    pub(crate) fn seal(&mut self, text: &mut [u8]) -> Result<[u8; TAG], FrameError> {
        let counter = self.advance()?;
        Ok(self.key.seal_in_place(counter, &[], text))
    }

    /// Opens `sealed` where it lies.
    pub(crate) fn open(&mut self, sealed: &mut [u8]) -> Result<usize, FrameError> {
        let counter = self.advance()?;
        self.key
            .open_in_place(counter, &[], sealed)
            .map_err(|_| FrameError::Forged)
    }

    /// Opens `sealed` into `out`.
    pub(crate) fn open_into(&mut self, sealed: &[u8], out: &mut [u8]) -> Result<(), FrameError> {
        let counter = self.advance()?;
        self.key
            .open_into(counter, &[], sealed, out)
            .map_err(|_| FrameError::Forged)
    }

    /// The next counter.
    fn advance(&mut self) -> Result<u64, FrameError> {
        // spec: noise, Encryption and I/O: a connection ends before its counter would begin again. The last value is
        // reserved (Noise, section 5.1), so it is never given out.
        let counter = self.counter;
        self.counter = counter.checked_add(1).ok_or(FrameError::Exhausted)?;
        Ok(counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_counter_is_never_used() {
        let at = |counter| Counted {
            counter,
            ..Counted::new(&[7; 32])
        };
        assert!(at(u64::MAX - 1).seal(&mut [1]).is_ok());
        let mut spent = at(u64::MAX);
        assert_eq!(spent.seal(&mut [1]), Err(FrameError::Exhausted));
        assert_eq!(spent.seal(&mut [1]), Err(FrameError::Exhausted));
        assert_eq!(spent.open(&mut [0; 17]), Err(FrameError::Exhausted));
    }
}
