//! Which of two dialects a client speaks: both run under the same name.
//!
//! ```text
//!   spec    u64 download                upload ... end     the server answers `download` bytes
//!   sized   u64 upload   u64 download   upload (end)       the server answers `download` bytes
//! ```
//!
//! The specification's is spoken by go-libp2p, rust-libp2p's library, py-libp2p and nim-libp2p; the other by the
//! programs of rust-libp2p 0.56 and .NET in the official performance suite, of which .NET's does not end its side.

/// What a client has said so far: its first bytes and how many there were.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Opening {
    head: [u8; 16],
    received: u64,
}

impl Opening {
    /// Takes in the next bytes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if let Ok(at) = usize::try_from(self.received)
            && let Some(space) = self.head.get_mut(at..)
        {
            let taken = space.len().min(bytes.len());
            space[..taken].copy_from_slice(&bytes[..taken]);
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
    }

    /// Whether these may be all the bytes of a client of the sized dialect.
    pub(crate) fn may_be_all(&self) -> bool {
        self.received >= 16 && self.received - 16 == self.first()
    }

    /// How many bytes to send, now that the client has ended; `None` if it did not even say.
    // spec: perf, Protocol: the first eight bytes are the number of bytes to send back, in big endian
    pub(crate) fn wanted(&self) -> Option<u64> {
        match self.received {
            0..8 => None,
            _ if self.may_be_all() => Some(self.second()),
            _ => Some(self.first()),
        }
    }

    fn first(&self) -> u64 {
        self.head
            .first_chunk()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    fn second(&self) -> u64 {
        self.head
            .last_chunk()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Opening;
    use proptest::prelude::*;

    fn said(numbers: &[u64], upload: usize, step: usize) -> Opening {
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        bytes.resize(bytes.len() + upload, 0);
        let mut opening = Opening::default();
        for piece in bytes.chunks(step) {
            opening.receive(piece);
        }
        opening
    }

    proptest! {
        #[test]
        fn both_dialects_are_told_apart(
            upload in 0usize..2000,
            download in any::<u64>(),
            step in 1usize..64,
        ) {
            let sized = said(&[upload as u64, download], upload, step);
            prop_assert!(sized.may_be_all());
            prop_assert_eq!(sized.wanted(), Some(download));
            // An upload of exactly eight bytes more than the download cannot be told from the other dialect.
            if download != (upload as u64).wrapping_sub(8) {
                prop_assert_eq!(said(&[download], upload, step).wanted(), Some(download));
            }
        }
    }

    #[test]
    fn too_few_bytes_say_nothing() {
        for (length, wanted) in [(0, None), (7, None), (8, Some(0)), (15, Some(0)), (16, Some(0))] {
            assert_eq!(said(&[], length, 3).wanted(), wanted);
        }
        let huge = said(&[u64::MAX, 1], 0, 16);
        assert_eq!((huge.may_be_all(), huge.wanted()), (false, Some(u64::MAX)));
    }
}
