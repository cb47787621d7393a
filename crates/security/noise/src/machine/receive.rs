//! The frames among the bytes that came from the peer: whole ones, and at the end perhaps a part of one.

use std::ops::Range;

/// The length in front of each message (noise, Wire Format).
const HEADER: usize = 2;
/// The least room for a read: what may be missing of the largest frame.
pub(crate) const LARGEST: usize = HEADER + 0xffff;

/// The length of the first frame as it is announced, if that much has arrived.
pub(crate) fn announced(received: &[u8]) -> Option<usize> {
    let header = received.first_chunk::<HEADER>()?;
    Some(usize::from(u16::from_be_bytes(*header)))
}

/// Where the content of the first frame lies, if all of it has arrived.
pub(crate) fn frame(received: &[u8]) -> Option<Range<usize>> {
    let end = HEADER + announced(received)?;
    (end <= received.len()).then_some(HEADER..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_behind_one_another() {
        let received = [0, 1, 7, 0, 0, 0, 2, 8, 9];
        assert_eq!(frame(&received), Some(2..3));
        assert_eq!(frame(&received[3..]), Some(2..2));
        assert_eq!(frame(&received[5..]), Some(2..4));
        for end in 0..4 {
            assert_eq!(frame(&received[5..][..end]), None);
        }
        assert_eq!(announced(&received[5..6]), None);
        assert_eq!(announced(&[0xff, 0xff]), Some(0xffff));
    }
}
