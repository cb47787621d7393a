//! What the parts of an address say: the transport, the name in front, the circuit.

use std::borrow::Cow;

use multiaddr::{Multiaddr, Protocol};

/// The transport that an address names, seen from the peer's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Transport {
    /// `/tcp`: security and muxer are negotiated.
    Tcp,
    /// `/quic-v1` (RFC 9000).
    Quic,
    /// `/quic`: the draft version that no current peer speaks.
    QuicDraft29,
    /// `/tcp/../ws`.
    WebSocket,
    /// `/tcp/../tls/ws` or its old form `/wss`.
    SecureWebSocket,
    /// `/quic-v1/webtransport`.
    WebTransport,
    /// `/udp/../webrtc-direct`.
    WebRtcDirect,
    /// `/p2p-circuit/webrtc`: signalled over a relay, then direct.
    WebRtc,
    /// `/p2p-circuit`: over a relay.
    Circuit,
    /// `/memory`: within one process.
    Memory,
}

/// Which records a name is looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// `/dns`: A and AAAA.
    Dns,
    /// `/dns4`: A.
    Dns4,
    /// `/dns6`: AAAA.
    Dns6,
    /// `/dnsaddr`: TXT records that hold whole addresses.
    Dnsaddr,
}

/// The transport that an address names, or `None` when it is none of those that are known or names no transport yet
/// (as `/dnsaddr` does).
#[must_use]
pub fn transport(addr: &Multiaddr) -> Option<Transport> {
    addr.iter()
        .fold(None, |below, component| match (component, below) {
            (Protocol::P2pCircuit, _) => Some(Transport::Circuit),
            (Protocol::WebRTC, Some(Transport::Circuit)) => Some(Transport::WebRtc),
            (Protocol::Tcp(_), None) => Some(Transport::Tcp),
            (Protocol::Quic, None) => Some(Transport::QuicDraft29),
            (Protocol::QuicV1, None) => Some(Transport::Quic),
            (Protocol::WebTransport, Some(Transport::Quic)) => Some(Transport::WebTransport),
            (Protocol::WebRTCDirect, None) => Some(Transport::WebRtcDirect),
            (Protocol::Memory(_), None) => Some(Transport::Memory),
            // spec: websockets, Addressing: the port may be left out.
            (Protocol::Ws(_), None | Some(Transport::Tcp)) if has_tls(addr) => {
                Some(Transport::SecureWebSocket)
            }
            (Protocol::Ws(_), None | Some(Transport::Tcp)) => Some(Transport::WebSocket),
            (Protocol::Wss(_), None | Some(Transport::Tcp)) => Some(Transport::SecureWebSocket),
            _ => below,
        })
}

fn has_tls(addr: &Multiaddr) -> bool {
    addr.iter()
        .take_while(|component| !matches!(component, Protocol::Ws(_)))
        .any(|component| component == Protocol::Tls)
}

/// The name that the address starts with, if it is one that must be resolved.
#[must_use]
pub fn dns_name(addr: &Multiaddr) -> Option<(NameKind, Cow<'_, str>)> {
    match addr.iter().next()? {
        Protocol::Dns(name) => Some((NameKind::Dns, name)),
        Protocol::Dns4(name) => Some((NameKind::Dns4, name)),
        Protocol::Dns6(name) => Some((NameKind::Dns6, name)),
        Protocol::Dnsaddr(name) => Some((NameKind::Dnsaddr, name)),
        _ => None,
    }
}

/// The address with the name that it was found under, where a certificate is checked against it: of
/// `/ip4/../tcp/../tls/ws` or `/wss` comes `/tls/sni/<name>/ws`, as go-libp2p writes it. Any other address, and one that
/// has a name already, stays as it is.
#[must_use]
pub fn with_server_name(addr: Multiaddr, name: &str) -> Multiaddr {
    let named = addr.iter().any(|component| matches!(component, Protocol::Sni(_)));
    if named || transport(&addr) != Some(Transport::SecureWebSocket) {
        return addr;
    }
    let sni = || Protocol::Sni(name.to_owned().into());
    let mut result = Multiaddr::empty();
    for component in &addr {
        match component {
            Protocol::Tls => [Protocol::Tls, sni()]
                .into_iter()
                .for_each(|part| result.push(part)),
            Protocol::Wss(path) => [Protocol::Tls, sni(), Protocol::Ws(path)]
                .into_iter()
                .for_each(|part| result.push(part)),
            other => result.push(other),
        }
    }
    result
}

/// Whether the address leads over a relay.
#[must_use]
pub fn is_circuit(addr: &Multiaddr) -> bool {
    addr.iter().any(|component| component == Protocol::P2pCircuit)
}

/// Of an address over a relay, the relay's address and what follows `/p2p-circuit`. Where there are several relays,
/// the last one is split off.
#[must_use]
pub fn split_circuit(addr: &Multiaddr) -> Option<(Multiaddr, Multiaddr)> {
    let last = addr
        .iter()
        .enumerate()
        .filter(|(_, component)| *component == Protocol::P2pCircuit)
        .last()?
        .0;
    Some((
        addr.iter().take(last).collect(),
        addr.iter().skip(last + 1).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const A: &str = "12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ";
    const B: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

    #[test]
    fn transports() {
        let table = [
            ("/ip4/192.0.2.1/tcp/1", Some(Transport::Tcp)),
            ("/dns4/example.org/tcp/1", Some(Transport::Tcp)),
            ("/ip4/192.0.2.1/udp/1/quic-v1", Some(Transport::Quic)),
            ("/ip4/192.0.2.1/udp/1/quic", Some(Transport::QuicDraft29)),
            (
                "/ip4/192.0.2.1/udp/1/quic-v1/webtransport",
                Some(Transport::WebTransport),
            ),
            ("/ip4/192.0.2.1/tcp/1/ws", Some(Transport::WebSocket)),
            ("/ip4/192.0.2.1/tcp/1/tls/ws", Some(Transport::SecureWebSocket)),
            (
                "/ip4/192.0.2.1/tcp/1/tls/sni/example.org/ws",
                Some(Transport::SecureWebSocket),
            ),
            ("/ip4/192.0.2.1/tcp/1/wss", Some(Transport::SecureWebSocket)),
            ("/ip4/192.0.2.1/ws", Some(Transport::WebSocket)),
            ("/dns/example.org/wss", Some(Transport::SecureWebSocket)),
            (
                "/dns/example.org/tls/ws/http-path/a%2Fb",
                Some(Transport::SecureWebSocket),
            ),
            (
                "/ip4/192.0.2.1/udp/1/webrtc-direct",
                Some(Transport::WebRtcDirect),
            ),
            ("/ip4/192.0.2.1/tcp/1/ws/p2p-circuit", Some(Transport::Circuit)),
            ("/p2p-circuit/webrtc", Some(Transport::WebRtc)),
            ("/memory/7", Some(Transport::Memory)),
            ("/dnsaddr/example.org", None),
            ("/ip4/192.0.2.1/udp/1", None),
            ("/webrtc", None),
        ];
        for (text, expected) in table {
            let addr = parse(text).unwrap();
            assert_eq!(transport(&addr), expected, "{text}");
            let named = crate::join_peer(addr, &A.parse().unwrap()).unwrap();
            assert_eq!(transport(&named), expected, "{named}");
        }
    }

    #[test]
    fn names() {
        let addr = parse("/dns6/example.org/tcp/443").unwrap();
        assert_eq!(dns_name(&addr), Some((NameKind::Dns6, "example.org".into())));
        assert_eq!(
            dns_name(&parse("/ip4/192.0.2.1/tcp/443/tls/sni/example.org/ws").unwrap()),
            None
        );
    }

    #[test]
    fn the_name_that_a_certificate_is_checked_against() {
        let table = [
            (
                "/ip4/192.0.2.1/tcp/443/tls/ws",
                "/ip4/192.0.2.1/tcp/443/tls/sni/x.org/ws",
            ),
            (
                "/ip4/192.0.2.1/tcp/443/wss/http-path/a",
                "/ip4/192.0.2.1/tcp/443/tls/sni/x.org/ws/http-path/a",
            ),
            ("/ip6/2001:db8::1/wss", "/ip6/2001:db8::1/tls/sni/x.org/ws"),
            (
                "/ip4/192.0.2.1/tcp/443/tls/sni/y.org/ws",
                "/ip4/192.0.2.1/tcp/443/tls/sni/y.org/ws",
            ),
            ("/ip4/192.0.2.1/tcp/80/ws", "/ip4/192.0.2.1/tcp/80/ws"),
            ("/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.1/tcp/4001"),
        ];
        for (found, expected) in table {
            assert_eq!(
                with_server_name(parse(found).unwrap(), "x.org"),
                parse(expected).unwrap()
            );
        }
    }

    #[test]
    fn circuits() {
        let relay = format!("/ip4/192.0.2.1/tcp/4001/p2p/{A}");
        let relayed = parse(&format!("{relay}/p2p-circuit/p2p/{B}")).unwrap();
        assert!(is_circuit(&relayed));
        assert_eq!(
            split_circuit(&relayed),
            Some((parse(&relay).unwrap(), parse(&format!("/p2p/{B}")).unwrap()))
        );
        let twice = parse(&format!("{relayed}/p2p-circuit")).unwrap();
        assert_eq!(split_circuit(&twice), Some((relayed.clone(), Multiaddr::empty())));
        assert_eq!(split_circuit(&parse(&relay).unwrap()), None);
    }
}
