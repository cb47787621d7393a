//! The transport passes the suite that every transport passes.

use sinew_conformance::transport::{Subject, check};
use sinew_core::{Multiaddr, Transport};
use sinew_tcp::TcpTransport;

fn foreign() -> Vec<Multiaddr> {
    [
        "/ip4/127.0.0.1/udp/1/quic-v1",
        "/ip4/127.0.0.1/tcp/1/ws",
        "/dns4/localhost/tcp/1",
        "/memory/1",
    ]
    .map(|text| text.parse().expect("an address"))
    .into()
}

#[tokio::test]
async fn over_ipv4() {
    let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
    check(&Subject::new(TcpTransport::new(), listen, foreign())).await;
}

#[tokio::test]
async fn over_a_wildcard() {
    let listen = "/ip4/0.0.0.0/tcp/0".parse().unwrap();
    check(&Subject::new(TcpTransport::new(), listen, foreign())).await;
}

#[tokio::test]
async fn over_ipv6() {
    let listen: Multiaddr = "/ip6/::1/tcp/0".parse().unwrap();
    if TcpTransport::new().listen(&listen).await.is_err() {
        return; // A machine without IPv6.
    }
    check(&Subject::new(TcpTransport::new(), listen, foreign())).await;
}
