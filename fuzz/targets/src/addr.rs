//! Multiaddrs of `sinew-addr`.

use sinew_addr::{
    MAX_COMPONENTS, MAX_LEN, Multiaddr, Protocol, check, decode, dns_name, is_circuit, join_peer, parse,
    scope, split_circuit, split_peer, transport,
};

/// What was read is within bounds, has these bytes alone, and takes every question.
pub(crate) fn multiaddr_bytes(data: &[u8]) {
    let Ok(addr) = decode(data) else { return };
    assert_eq!(addr.as_ref(), data);
    promises(&addr);
}

/// The same of text; and the text that is printed reads back.
pub(crate) fn multiaddr_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(addr) = parse(text) else { return };
    assert_eq!(decode(addr.as_ref()).expect("bytes of an address"), addr);
    promises(&addr);
}

fn promises(addr: &Multiaddr) {
    assert!(addr.len() <= MAX_LEN && addr.iter().count() <= MAX_COMPONENTS);
    if addr.iter().all(|component| prints_what_it_reads(&component)) {
        assert_eq!(parse(&addr.to_string()).expect("text of an address"), *addr);
    }
    let _ = (scope(addr), transport(addr), dns_name(addr));
    assert_eq!(is_circuit(addr), split_circuit(addr).is_some());
    if let (bare, Some(peer)) = split_peer(addr) {
        if !bare.is_empty() {
            check(&bare).expect("an address without its peer");
        }
        assert_eq!(split_peer(&bare).1, None);
        assert_eq!(join_peer(bare, &peer).as_ref(), Ok(addr));
    }
}

/// Paths of `/unix` and the lengths of garlic addresses read differently in bytes and in text (`docs/interop.md`).
fn prints_what_it_reads(component: &Protocol<'_>) -> bool {
    !matches!(
        component,
        Protocol::Unix(_) | Protocol::Garlic32(_) | Protocol::Garlic64(_)
    )
}
