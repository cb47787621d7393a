//! Memory addresses: `/memory/<number>`, with or without a peer at the end.

use multiaddr::Protocol;
use sinew_core::Multiaddr;

/// The number of a memory address; `None` for any other kind.
pub(crate) fn number(addr: &Multiaddr) -> Option<u64> {
    let mut parts = addr.iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Memory(number)), None | Some(Protocol::P2p(_)), None) => Some(number),
        _ => None,
    }
}

/// The address of a number.
pub(crate) fn addr(number: u64) -> Multiaddr {
    Multiaddr::empty().with(Protocol::Memory(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_addresses() {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let read = |text: &str| number(&text.parse().expect("an address"));
        assert_eq!(read("/memory/7"), Some(7));
        assert_eq!(read(&format!("/memory/7/p2p/{peer}")), Some(7));
        assert_eq!(number(&addr(7)), Some(7));
        for other in [
            "/ip4/127.0.0.1/tcp/1".to_owned(),
            "/memory/7/ws".into(),
            format!("/p2p/{peer}"),
            format!("/memory/7/p2p/{peer}/p2p-circuit"),
        ] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
