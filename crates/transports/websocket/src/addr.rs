//! The address forms of WebSocket.

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

use rustls_pki_types::ServerName;
use sinew_addr::{Multiaddr, Protocol};
use sinew_socket::tcp_multiaddr;

/// spec: websockets, Addressing: the port where the address names none.
const PLAIN_PORT: u16 = 80;
/// The same over TLS.
const SECURE_PORT: u16 = 443;

/// An address of a WebSocket, taken apart:
/// `/ip4|ip6/<ip>[/tcp/<port>]/(ws | wss | tls[/sni/<name>]/ws)[/http-path/<path>][/p2p/<peer>]`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WsAddr {
    /// Where the TCP connection goes.
    pub socket: SocketAddr,
    /// Whether it goes over TLS.
    pub security: Security,
    /// What stands in `/http-path`, decoded; without the slash that js-libp2p puts in front of it.
    pub path: Option<String>,
    /// What follows the TCP address, as it was written, without the peer.
    form: Multiaddr,
}

/// What is below the frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Security {
    /// TCP alone.
    Plain,
    /// TLS; the certificate is checked against the name, or against the IP address where there is none.
    Tls(Option<ServerName<'static>>),
}

impl WsAddr {
    /// Takes an address apart; `None` if it is of another kind, or still has to be resolved.
    #[must_use]
    pub fn read(addr: &Multiaddr) -> Option<Self> {
        let parts: Vec<_> = addr.iter().collect();
        let (ip, rest) = match parts.split_first()? {
            (Protocol::Ip4(ip), rest) => (IpAddr::V4(*ip), rest),
            (Protocol::Ip6(ip), rest) => (IpAddr::V6(*ip), rest),
            _ => return None,
        };
        let (port, rest) = match rest {
            [Protocol::Tcp(port), rest @ ..] => (Some(*port), rest),
            rest => (None, rest),
        };
        let rest = match rest {
            [rest @ .., Protocol::P2p(_)] => rest,
            rest => rest,
        };
        let (security, path) = security(rest)?;
        let path = match path {
            [] => None,
            [Protocol::HttpPath(path)] => Some(path.strip_prefix('/').unwrap_or(path).to_owned()),
            _ => return None,
        };
        let port = port.unwrap_or_else(|| security.default_port());
        Some(Self {
            socket: SocketAddr::new(ip, port),
            security,
            path,
            form: rest.iter().cloned().collect(),
        })
    }

    /// The address as it was written, with its port and without its peer.
    #[must_use]
    pub fn addr(&self) -> Multiaddr {
        self.at(self.socket)
    }

    /// The same form at another socket: an address of a listener on a wildcard, say.
    #[must_use]
    pub fn at(&self, socket: SocketAddr) -> Multiaddr {
        tcp_multiaddr(socket).iter().chain(self.form.iter()).collect()
    }

    /// The other end of a connection in this form: it has neither a name nor a path.
    #[must_use]
    pub fn end_at(&self, socket: SocketAddr) -> Multiaddr {
        let ws = Protocol::Ws("/".into());
        match self.security {
            Security::Plain => tcp_multiaddr(socket).with(ws),
            Security::Tls(_) => tcp_multiaddr(socket).with(Protocol::Tls).with(ws),
        }
    }

    /// What the HTTP request asks for: the path, percent-encoded.
    #[must_use]
    pub fn target(&self) -> String {
        let path = self.path.as_deref().unwrap_or_default();
        let mut target = String::from("/");
        for byte in path.bytes() {
            // spec: RFC 3986, 3.3: what may stand in a path as it is.
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
                target.push(char::from(byte));
            } else {
                let _ = write!(target, "%{byte:02X}");
            }
        }
        target
    }

    /// Whom the HTTP request is for: the name or IP address, and the port unless it is the usual one.
    #[must_use]
    pub fn host(&self) -> String {
        let host = match (&self.security, self.socket.ip()) {
            (Security::Tls(Some(ServerName::DnsName(name))), _) => name.as_ref().to_owned(),
            (_, IpAddr::V4(ip)) => ip.to_string(),
            (_, IpAddr::V6(ip)) => format!("[{ip}]"),
        };
        if self.socket.port() == self.security.default_port() {
            host
        } else {
            format!("{host}:{}", self.socket.port())
        }
    }
}

impl Security {
    fn default_port(&self) -> u16 {
        match self {
            Self::Plain => PLAIN_PORT,
            Self::Tls(_) => SECURE_PORT,
        }
    }
}

/// What is between TCP and the path, and what follows it. A path in `/ws` itself is a form of one library alone.
fn security<'a, 'b>(parts: &'a [Protocol<'b>]) -> Option<(Security, &'a [Protocol<'b>])> {
    Some(match parts {
        [Protocol::Ws(path), rest @ ..] if path == "/" => (Security::Plain, rest),
        [Protocol::Wss(path), rest @ ..] if path == "/" => (Security::Tls(None), rest),
        [Protocol::Tls, Protocol::Ws(path), rest @ ..] if path == "/" => (Security::Tls(None), rest),
        [Protocol::Tls, Protocol::Sni(name), Protocol::Ws(path), rest @ ..] if path == "/" => {
            let name = ServerName::try_from(name.to_string()).ok()?;
            (Security::Tls(Some(name)), rest)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn read(text: &str) -> Option<WsAddr> {
        WsAddr::read(&sinew_addr::parse(text).expect("an address"))
    }

    #[test]
    fn forms() {
        let table = [
            ("/ip4/192.0.2.1/tcp/1234/ws", "http 192.0.2.1:1234 /"),
            ("/ip4/192.0.2.1/tcp/80/ws", "http 192.0.2.1 /"),
            ("/ip6/2001:db8::1/tcp/1/ws", "http [2001:db8::1]:1 /"),
            ("/ip4/192.0.2.1/tcp/1/tls/ws", "https 192.0.2.1:1 /"),
            ("/ip4/192.0.2.1/tcp/443/wss", "https 192.0.2.1 /"),
            ("/ip4/192.0.2.1/tcp/443/tls/sni/x.org/ws", "https x.org /"),
            ("/ip4/192.0.2.1/tcp/444/tls/sni/x.org/ws", "https x.org:444 /"),
            (
                "/ip4/192.0.2.1/tcp/80/ws/http-path/a%2Fb%20c%3Fd",
                "http 192.0.2.1 /a/b%20c%3Fd",
            ),
            // js-libp2p writes the leading slash into the bytes.
            ("/ip4/192.0.2.1/tcp/80/ws/http-path/%2Ffoo", "http 192.0.2.1 /foo"),
        ];
        for (text, expected) in table {
            let read = read(text).expect(text);
            let scheme = match read.security {
                Security::Plain => "http",
                Security::Tls(_) => "https",
            };
            assert_eq!(format!("{scheme} {} {}", read.host(), read.target()), expected);
            assert_eq!(read.addr().to_string(), text);
            let named: Multiaddr = format!("{text}/p2p/{PEER}").parse().unwrap();
            assert_eq!(WsAddr::read(&named).as_ref(), Some(&read), "{named}");
        }
    }

    #[test]
    fn a_port_may_be_left_out() {
        for (text, port) in [
            ("/ip4/192.0.2.1/ws", 80),
            ("/ip4/192.0.2.1/tls/ws", 443),
            ("/ip6/::1/wss/http-path/a", 443),
        ] {
            assert_eq!(read(text).expect(text).socket.port(), port);
        }
        let whole = read("/ip6/::1/wss/http-path/a").unwrap().addr();
        assert_eq!(whole.to_string(), "/ip6/::1/tcp/443/wss/http-path/a");
    }

    #[test]
    fn the_end_of_a_connection_has_the_form_alone() {
        let socket = "192.0.2.9:9".parse().unwrap();
        for (text, end) in [
            ("/ip4/192.0.2.1/tcp/1/ws/http-path/a", "/ip4/192.0.2.9/tcp/9/ws"),
            (
                "/ip4/192.0.2.1/tcp/1/tls/sni/x.org/ws",
                "/ip4/192.0.2.9/tcp/9/tls/ws",
            ),
            ("/ip4/192.0.2.1/tcp/1/wss", "/ip4/192.0.2.9/tcp/9/tls/ws"),
        ] {
            assert_eq!(read(text).unwrap().end_at(socket).to_string(), end);
        }
    }

    #[test]
    fn other_addresses() {
        for text in [
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/192.0.2.1/tcp/1/tls",
            "/ip4/192.0.2.1/tcp/1/sni/x.org/ws",
            "/ip4/192.0.2.1/tcp/1/tls/wss",
            "/ip4/192.0.2.1/tcp/1/tls/sni/-/ws",
            "/ip4/192.0.2.1/tcp/1/x-parity-ws/%2Fa",
            "/ip4/192.0.2.1/tcp/1/ws/http-path/a/http-path/b",
            "/ip4/192.0.2.1/tcp/1/http-path/a/ws",
            "/ip4/192.0.2.1/tcp/1/ws/p2p-circuit",
            "/ip4/192.0.2.1/udp/1/ws",
            "/dns4/x.org/tcp/1/ws",
            "/ws",
            "/memory/1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let circuit = format!("/ip4/192.0.2.1/tcp/1/ws/p2p/{PEER}/p2p-circuit");
        assert_eq!(read(&circuit), None);
        assert_eq!(WsAddr::read(&Multiaddr::empty()), None);
    }
}
