//! Bounds of addresses, and properties of arbitrary bytes and text.

use proptest::prelude::*;
use sinew_addr::{AddrError, MAX_COMPONENTS, MAX_LEN, check, decode, parse};

#[test]
fn bounds_are_exact() {
    let noise = [0xc6, 0x03];
    assert!(decode(&noise.repeat(MAX_COMPONENTS)).is_ok());
    assert!(matches!(
        decode(&noise.repeat(MAX_COMPONENTS + 1)),
        Err(AddrError::TooManyComponents)
    ));

    // /unix with as much path as fits: two bytes of code, two of length.
    let unix = |len: usize| {
        [
            &[0x90, 0x03, (len & 0x7f) as u8 | 0x80, (len >> 7) as u8][..],
            &vec![b'a'; len],
        ]
        .concat()
    };
    assert!(decode(&unix(MAX_LEN - 4)).is_ok());
    assert!(matches!(
        decode(&unix(MAX_LEN - 3)),
        Err(AddrError::TooLong(1025))
    ));
}

#[test]
fn long_text_is_refused_before_it_is_parsed() {
    let text = "/dns4/".to_owned() + &"a".repeat(1 << 20);
    assert!(matches!(parse(&text), Err(AddrError::TooLong(_))));
    let text = "/noise".repeat(MAX_COMPONENTS + 1);
    assert!(matches!(parse(&text), Err(AddrError::TooManyComponents)));
}

#[test]
fn ids_that_are_not_ours_are_refused() {
    // A SHA-256 of two bytes: the crate `multiaddr` takes it, and so would print it.
    let bytes = [0xa5, 0x03, 0x04, 0x12, 0x02, 0x11, 0x22];
    let lenient = multiaddr::Multiaddr::try_from(bytes.to_vec()).unwrap();
    assert!(matches!(check(&lenient), Err(AddrError::PeerId(_))));
    assert!(matches!(decode(&bytes), Err(AddrError::PeerId(_))));
}

#[test]
fn one_address_has_one_form() {
    // The crate's own code for `/x-parity-ws/<path>`, with the path that plain `/ws` stands for, and with none.
    assert!(matches!(
        decode(&[0xa2, 0x25, 0x01, b'/']),
        Err(AddrError::NotCanonical)
    ));
    assert!(matches!(decode(&[0xa2, 0x25, 0x00]), Err(AddrError::Value(_))));
    assert_eq!(
        decode(&[0xa2, 0x25, 0x01, b'a']).unwrap(),
        parse("/x-parity-ws/a").unwrap()
    );
}

#[test]
fn two_peers_in_a_row_are_refused() {
    let id = "/p2p/12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ";
    let twice = format!("/ip4/192.0.2.1/tcp/1{id}{id}");
    assert!(matches!(parse(&twice), Err(AddrError::TwoPeers)));
    assert!(parse(&format!("/ip4/192.0.2.1/tcp/1{id}/p2p-circuit{id}")).is_ok());
}

/// Mostly sound components in any order, sometimes a broken one.
fn component() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| [&[4][..], &ip].concat()),
        any::<[u8; 16]>().prop_map(|ip| [&[41][..], &ip].concat()),
        any::<[u8; 2]>().prop_map(|port| [&[6][..], &port].concat()),
        any::<[u8; 2]>().prop_map(|port| [&[0x91, 0x02][..], &port].concat()),
        "[a-z/]{0,9}".prop_map(|name| [&[54, name.len() as u8][..], name.as_bytes()].concat()),
        any::<[u8; 32]>().prop_map(|digest| [&[0xa5, 0x03, 34, 0x12, 32][..], &digest].concat()),
        any::<[u8; 32]>().prop_map(|digest| [&[0xd2, 0x03, 34, 0x12, 32][..], &digest].concat()),
        Just(vec![0xa2, 0x02]),
        Just(vec![0xcd, 0x03]),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #[test]
    fn what_is_read_prints_and_reads_back(parts in prop::collection::vec(component(), 0..8)) {
        if let Ok(addr) = decode(&parts.concat()) {
            prop_assert_eq!(addr.as_ref(), &parts.concat()[..]);
            prop_assert_eq!(parse(&addr.to_string()).unwrap(), addr);
        }
    }

    #[test]
    fn arbitrary_bytes(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }

    #[test]
    fn arbitrary_text(text in "(/[a-z0-9.:]{0,8}){0,6}|.{0,40}") {
        let _ = parse(&text);
    }
}
