//! The transport passes the suite that every transport passes, in every form.

use sinew_conformance::transport::{Subject, check};
use sinew_core::{Multiaddr, Transport};
use sinew_websocket::WebSocketTransport;

use crate::made;

fn foreign() -> Vec<Multiaddr> {
    [
        "/ip4/127.0.0.1/tcp/1",
        "/ip4/127.0.0.1/udp/1/quic-v1",
        "/ip4/127.0.0.1/tcp/1/tls",
        "/ip4/127.0.0.1/tcp/1/x-parity-ws/%2Fpath",
        "/dns4/localhost/tcp/1/ws",
        "/memory/1",
    ]
    .map(|text| text.parse().expect("an address"))
    .into()
}

async fn passes(listen: &str) {
    let listen: Multiaddr = listen.parse().expect("an address");
    let (certificate, root) = made::certificate(&["localhost", "127.0.0.1", "::1"]);
    let transport = WebSocketTransport::new()
        .with_certificate(certificate)
        .with_roots(vec![root]);
    if listen.to_string().starts_with("/ip6") && transport.listen(&listen).await.is_err() {
        return; // A machine without IPv6.
    }
    check(&Subject::new(transport, listen, foreign()).with_handshake()).await;
}

#[tokio::test]
async fn over_ipv4() {
    passes("/ip4/127.0.0.1/tcp/0/ws").await;
}

#[tokio::test]
async fn over_ipv6() {
    passes("/ip6/::1/tcp/0/ws").await;
}

#[tokio::test]
async fn over_a_wildcard_with_a_path() {
    passes("/ip4/0.0.0.0/tcp/0/ws/http-path/a%2Fb").await;
}

#[tokio::test]
async fn secure_over_ipv4() {
    passes("/ip4/127.0.0.1/tcp/0/tls/ws").await;
}

#[tokio::test]
async fn secure_over_ipv6() {
    passes("/ip6/::1/tcp/0/tls/ws").await;
}

#[tokio::test]
async fn secure_with_a_name() {
    passes("/ip4/127.0.0.1/tcp/0/tls/sni/localhost/ws").await;
}

#[tokio::test]
async fn secure_in_the_old_form() {
    passes("/ip4/127.0.0.1/tcp/0/wss").await;
}
