//! Bounded decoding: what it takes, what it refuses, and that it agrees with prost.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use sinew_wire::Frames;
use sinew_wire::protobuf::{
    Bounds, DecodeError, Value, WireError, check, decode, decode_bounded, fields, required,
};

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(bytes = "bytes", optional, tag = "1")]
    id: Option<Bytes>,
    #[prost(string, repeated, tag = "3")]
    names: Vec<String>,
    #[prost(uint64, optional, tag = "9")]
    number: Option<u64>,
}

fn sample(names: usize) -> Vec<u8> {
    let names = vec![String::new(); names];
    Sample {
        id: Some(Bytes::from_static(b"id")),
        names,
        number: Some(7),
    }
    .encode_to_vec()
}

#[test]
fn lists_are_counted_before_they_are_decoded() {
    let bounds = Bounds::new(1000, &[(1, 1), (3, 4)]);
    let within: Sample = decode_bounded(&sample(4)[..], &bounds).unwrap();
    assert_eq!(within.names.len(), 4);
    let beyond = decode_bounded::<Sample>(&sample(5)[..], &bounds);
    assert_eq!(beyond, Err(DecodeError::TooMany { field: 3, max: 4 }));
    assert_eq!(
        bounds.check(&[0; 1001]),
        Err(DecodeError::TooLong { len: 1001, max: 1000 })
    );
}

#[test]
fn length_is_checked_first() {
    assert_eq!(
        decode::<Sample>(&[0xff; 9][..], 8),
        Err(DecodeError::TooLong { len: 9, max: 8 })
    );
    assert!(matches!(
        decode::<Sample>(&[0xff; 9][..], 9),
        Err(DecodeError::Message(_))
    ));
}

#[test]
fn presence_is_checked_by_the_caller() {
    let empty: Sample = decode(&[][..], 8).unwrap();
    assert_eq!(required(empty.id, "id"), Err(DecodeError::Missing("id")));
}

#[test]
fn bytes_are_shared() {
    let whole = Bytes::from(sample(0));
    let id = decode::<Sample>(whole.clone(), 100).unwrap().id.unwrap();
    assert_eq!(id.as_ptr(), whole[2..].as_ptr());
}

#[test]
fn wire_faults() {
    for (message, fault) in [
        (&[0x08][..], WireError::Truncated),
        (&[0x0a, 0x02, 0x00], WireError::Truncated),
        (&[0x0d, 0, 0, 0], WireError::Truncated),
        (&[0x00], WireError::FieldNumber),
        (&[0x80, 0x80, 0x80, 0x80, 0x10, 0x00], WireError::FieldNumber),
        (&[0x0b, 0x0c], WireError::WireType(3)),
        (&[0x0f], WireError::WireType(7)),
        (
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            WireError::Overflow,
        ),
    ] {
        assert_eq!(
            check(message, &[(1, 1)]),
            Err(DecodeError::Wire(fault)),
            "{message:02x?}"
        );
        assert_eq!(
            fields(message).filter(Result::is_err).count(),
            1,
            "{message:02x?}"
        );
    }
}

#[test]
fn fields_of_all_kinds() {
    let message = [
        0x08, 0x81, 0x00, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1a, 1, b'a', 0x25, 9, 8, 7, 6,
    ];
    let got: Vec<_> = fields(&message)
        .map(|field| field.map(|f| (f.number, f.value)).unwrap())
        .collect();
    assert_eq!(
        got,
        [
            (1, Value::Varint(1)),
            (2, Value::Fixed64([1, 2, 3, 4, 5, 6, 7, 8])),
            (3, Value::Bytes(b"a")),
            (4, Value::Fixed32([9, 8, 7, 6])),
        ]
    );
}

#[test]
fn messages_go_into_frames_without_a_copy_between() {
    let (message, mut framed, mut expected) = (
        Sample {
            number: Some(5),
            ..Sample::default()
        },
        Vec::new(),
        bytes::BytesMut::new(),
    );
    message.encode_length_delimited(&mut framed).unwrap();
    Frames::new(2).encode_message(&message, &mut expected).unwrap();
    assert_eq!(framed, expected);
    assert!(Frames::new(1).encode_message(&message, &mut expected).is_err());
}

proptest! {
    /// What prost takes without groups, the scan walks to its end with the same number of entries.
    #[test]
    fn the_scan_agrees_with_prost(bytes: Vec<u8>) {
        if let Ok(message) = Sample::decode(&bytes[..])
            && fields(&bytes).all(|field| field.is_ok())
        {
            prop_assert!(check(&bytes, &[(3, message.names.len())]).is_ok());
            if let Some(fewer) = message.names.len().checked_sub(1) {
                prop_assert!(check(&bytes, &[(3, fewer)]).is_err());
            }
        }
    }

    #[test]
    fn round_trip(names in prop::collection::vec(".{0,20}", 0..20), number: Option<u64>) {
        let message = Sample { id: None, names, number };
        let bounds = Bounds::new(10_000, &[(3, 20)]);
        prop_assert_eq!(decode_bounded::<Sample>(&message.encode_to_vec()[..], &bounds).unwrap(), message);
    }
}
