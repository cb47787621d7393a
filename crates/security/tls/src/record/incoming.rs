//! The records among the bytes that came from the peer: whole ones, and at the end perhaps a part of one.

use super::RecordError;

/// Type, version and length in front of each record (RFC 8446, section 5.1).
pub(crate) const HEADER: usize = 5;
/// The most text that one record takes (RFC 8446, section 5.1).
pub(crate) const MAX_TEXT: usize = 16 * 1024;
/// The most that a sealed record carries: text, and 256 bytes for what sealing adds (RFC 8446, section 5.2).
const MAX_PAYLOAD: usize = MAX_TEXT + 256;
/// The type of a record with handshake messages that are not sealed (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// The type of a sealed record (RFC 8446, section 5.2).
pub(super) const APPLICATION_DATA: u8 = 23;
/// What every record says instead of a version. RFC 8446, section 5.1, ignores it; Go's TLS does not, and so everybody
/// sends it, and garbage shows at once.
pub(super) const VERSION: [u8; 2] = [3, 3];
/// The first record of a client may say TLS 1.0 (RFC 8446, section 5.1).
const HANDSHAKE_VERSIONS: [[u8; 2]; 2] = [[3, 1], VERSION];
/// The least room for a read: some records.
pub(crate) const ROOM: usize = 4 * (HEADER + MAX_PAYLOAD);

/// Where the first record that begins at `offset` ends, counted from the first byte that is here, if all of it
/// has arrived. A header that cannot be one counts as a whole record: whoever reads it will say so. Once the
/// sides have agreed on keys (`sealed`), no handshake message is open.
///
/// # Errors
/// [`RecordError::Version`] and [`RecordError::Type`], of which nobody else would say anything.
pub(crate) fn end_of_record(
    received: &[u8],
    offset: usize,
    sealed: bool,
) -> Result<Option<usize>, RecordError> {
    let here = &received[offset..];
    let Some(&[kind, major, minor, high, low]) = here.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    // RFC 8446, section 5.1: the four types of records are 20 to 23.
    if !(20..=23).contains(&kind) || length > MAX_PAYLOAD {
        return Ok(Some(offset + HEADER));
    }
    if !HANDSHAKE_VERSIONS.contains(&[major, minor]) {
        return Err(RecordError::Version([major, minor]));
    }
    if sealed && kind == HANDSHAKE {
        return Err(RecordError::Type(kind));
    }
    Ok((HEADER + length <= here.len()).then_some(offset + HEADER + length))
}

/// How long the first sealed record is, with its header, if all of it has arrived.
pub(crate) fn sealed_record(received: &[u8]) -> Result<Option<usize>, RecordError> {
    // The type is looked at as soon as it is there.
    if let Some(&kind) = received.first().filter(|&&kind| kind != APPLICATION_DATA) {
        return Err(RecordError::Type(kind));
    }
    let Some(&[_, major, minor, high, low]) = received.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    if [major, minor] != VERSION {
        return Err(RecordError::Version([major, minor]));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_PAYLOAD {
        return Err(RecordError::TooLong(length));
    }
    let end = HEADER + length;
    Ok((end <= received.len()).then_some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_behind_one_another() {
        let received = [23, 3, 3, 0, 1, 7, 23, 3, 3, 0, 0, 23, 3, 3, 0, 2, 8, 9];
        assert_eq!(sealed_record(&received), Ok(Some(6)));
        assert_eq!(sealed_record(&received[6..]), Ok(Some(5)));
        assert_eq!(sealed_record(&received[11..]), Ok(Some(7)));
        assert_eq!(end_of_record(&received, 6, true), Ok(Some(11)));
        assert_eq!(end_of_record(&received, 11, true), Ok(Some(18)));
        for end in 0..7 {
            assert_eq!(sealed_record(&received[11..][..end]), Ok(None));
            assert_eq!(end_of_record(&received[..11 + end], 11, true), Ok(None));
        }
    }

    #[test]
    fn what_is_no_record_shows_at_once() {
        assert_eq!(sealed_record(&[22]), Err(RecordError::Type(22)));
        assert_eq!(sealed_record(&[23]), Ok(None));
        let longest = u16::try_from(MAX_PAYLOAD).unwrap();
        let [high, low] = longest.to_be_bytes();
        assert_eq!(sealed_record(&[23, 3, 3, high, low]), Ok(None));
        let [high, low] = (longest + 1).to_be_bytes();
        let too_long = [23, 3, 3, high, low];
        assert_eq!(
            sealed_record(&too_long),
            Err(RecordError::TooLong(MAX_PAYLOAD + 1))
        );
        assert_eq!(end_of_record(&too_long, 0, true), Ok(Some(HEADER)));
        let version = RecordError::Version([3, 2]);
        assert_eq!(sealed_record(&[23, 3, 2, 0, 1]), Err(version.clone()));
        assert_eq!(end_of_record(&[22, 3, 2, 0, 1], 0, true), Err(version));
        let open = [22, 3, 3, 0, 0];
        assert_eq!(end_of_record(&open, 0, false), Ok(Some(HEADER)));
        assert_eq!(end_of_record(&open, 0, true), Err(RecordError::Type(22)));
    }
}
