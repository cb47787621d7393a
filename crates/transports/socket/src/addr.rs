//! Socket addresses as multiaddrs, and back.

use std::net::{IpAddr, SocketAddr};

use multiaddr::Protocol;
use sinew_core::Multiaddr;

/// The socket address of `/ip4/<ip>/tcp/<port>` or `/ip6/<ip>/tcp/<port>`, with or without a peer at the end;
/// `None` for any other address.
#[must_use]
pub fn tcp_addr(addr: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = addr.iter();
    let ip = ip_of(&parts.next()?)?;
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Tcp(port)), None | Some(Protocol::P2p(_)), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// The multiaddr of a TCP socket.
#[must_use]
pub fn tcp_multiaddr(addr: SocketAddr) -> Multiaddr {
    Multiaddr::from(addr.ip()).with(Protocol::Tcp(addr.port()))
}

/// The socket address of `/ip4/<ip>/udp/<port>/quic-v1` or `/ip6/<ip>/udp/<port>/quic-v1`, with or without a peer at
/// the end; `None` for any other address, the draft version `/quic` among them.
#[must_use]
pub fn quic_addr(addr: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = addr.iter();
    let ip = ip_of(&parts.next()?)?;
    let Some(Protocol::Udp(port)) = parts.next() else {
        return None;
    };
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::QuicV1), None | Some(Protocol::P2p(_)), None) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// The multiaddr of a UDP socket that speaks QUIC.
#[must_use]
pub fn quic_multiaddr(addr: SocketAddr) -> Multiaddr {
    Multiaddr::from(addr.ip())
        .with(Protocol::Udp(addr.port()))
        .with(Protocol::QuicV1)
}

fn ip_of(part: &Protocol<'_>) -> Option<IpAddr> {
    match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(*ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(*ip)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn read(text: &str) -> Option<String> {
        tcp_addr(&text.parse().expect("an address")).map(|addr| addr.to_string())
    }

    fn read_quic(text: &str) -> Option<String> {
        quic_addr(&text.parse().expect("an address")).map(|addr| addr.to_string())
    }

    #[test]
    fn addresses_of_sockets() {
        for (text, socket) in [
            ("/ip4/127.0.0.1/tcp/4001", "127.0.0.1:4001"),
            ("/ip4/0.0.0.0/tcp/0", "0.0.0.0:0"),
            ("/ip6/::1/tcp/65535", "[::1]:65535"),
        ] {
            assert_eq!(read(text).as_deref(), Some(socket));
            assert_eq!(read(&format!("{text}/p2p/{PEER}")).as_deref(), Some(socket));
            assert_eq!(tcp_multiaddr(socket.parse().unwrap()).to_string(), text);
        }
    }

    #[test]
    fn other_addresses() {
        for text in [
            "/dns4/example.com/tcp/4001",
            "/ip4/127.0.0.1",
            "/ip4/127.0.0.1/udp/4001/quic-v1",
            "/ip4/127.0.0.1/tcp/4001/ws",
            "/tcp/4001",
            "/memory/1",
            "/ip6zone/eth0/ip6/fe80::1/tcp/4001",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let relayed = format!("/ip4/127.0.0.1/tcp/4001/p2p/{PEER}/p2p-circuit");
        assert_eq!(read(&relayed), None);
        assert_eq!(tcp_addr(&Multiaddr::empty()), None);
    }

    #[test]
    fn addresses_of_quic() {
        for (text, socket) in [
            ("/ip4/127.0.0.1/udp/4001/quic-v1", "127.0.0.1:4001"),
            ("/ip4/0.0.0.0/udp/0/quic-v1", "0.0.0.0:0"),
            ("/ip6/::1/udp/65535/quic-v1", "[::1]:65535"),
        ] {
            assert_eq!(read_quic(text).as_deref(), Some(socket));
            assert_eq!(read_quic(&format!("{text}/p2p/{PEER}")).as_deref(), Some(socket));
            assert_eq!(quic_multiaddr(socket.parse().unwrap()).to_string(), text);
        }
        for text in [
            "/ip4/127.0.0.1/udp/4001",
            "/ip4/127.0.0.1/udp/4001/quic",
            "/ip4/127.0.0.1/tcp/4001",
            "/ip4/127.0.0.1/udp/4001/quic-v1/webtransport",
            "/ip4/127.0.0.1/udp/4001/webrtc-direct",
            "/dns4/example.com/udp/4001/quic-v1",
            "/ip6zone/eth0/ip6/fe80::1/udp/4001/quic-v1",
        ] {
            assert_eq!(read_quic(text), None, "{text}");
        }
        let relayed = format!("/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{PEER}/p2p-circuit");
        assert_eq!(read_quic(&relayed), None);
        assert_eq!(quic_addr(&Multiaddr::empty()), None);
    }
}
