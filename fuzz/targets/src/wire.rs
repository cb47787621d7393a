//! Varints, frames and the field scan of `sinew-wire`.

use bytes::BytesMut;
use sinew_wire::protobuf::{Bounds, Value, check, fields};
use sinew_wire::{Frames, varint as wire};

/// What decodes has one form, and a prefix of it is never an error.
pub(crate) fn varint(data: &[u8]) {
    if let Ok(Some((value, taken))) = wire::decode(data) {
        let mut encoded = Vec::new();
        wire::encode(value, &mut encoded);
        assert_eq!(encoded, data[..taken]);
        for cut in 0..taken {
            assert_eq!(wire::decode(&data[..cut]), Ok(None));
        }
    }
}

/// The pieces in which bytes arrive make no difference, and no frame is longer than the maximum. The first byte chooses
/// the maximum, the second the size of a piece.
pub(crate) fn frame(data: &[u8]) {
    let [max, piece, stream @ ..] = data else { return };
    let frames = Frames::new(usize::from(*max));
    let whole = decode_all(frames, stream.chunks(usize::MAX));
    let pieces = decode_all(frames, stream.chunks(usize::from(*piece).max(1)));
    assert_eq!(whole, pieces);
    let mut encoded = BytesMut::new();
    for frame in &whole {
        assert!(frame.len() <= frames.max());
        frames
            .encode(frame, &mut encoded)
            .expect("a frame that was decoded");
    }
    assert_eq!(encoded, stream[..encoded.len()]);
}

fn decode_all<'a>(frames: Frames, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut buffer, mut decoded) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match frames.decode(&mut buffer) {
                Ok(Some(frame)) => decoded.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return decoded,
            }
        }
    }
    decoded
}

/// The scan ends, its values lie in the message, and the bounds count what it shows.
pub(crate) fn protobuf_fields(data: &[u8]) {
    let mut ones = 0;
    let mut inside = 0;
    for field in fields(data) {
        let Ok(field) = field else { return };
        ones += usize::from(field.number == 1);
        if let Value::Bytes(value) = field.value {
            inside += value.len();
        }
    }
    assert!(inside <= data.len());
    assert!(check(data, &[(1, ones)]).is_ok());
    assert!(ones == 0 || check(data, &[(1, ones - 1)]).is_err());
    assert!(Bounds::new(data.len(), &[(1, ones)]).check(data).is_ok());
}
