//! The suites that every transport with streams of its own passes.

use std::time::Duration;

use sinew_conformance::{
    muxer::check_transport,
    transport::{Subject, check_secure},
};
use sinew_core::Multiaddr;

use super::net::Network;
use crate::Config;

fn subject(listen: &str, config: Config) -> Subject {
    let foreign = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1", "/memory/1"];
    let foreign = foreign.map(|text| text.parse::<Multiaddr>().expect("an address"));
    let network = Network::new(Duration::from_millis(1));
    Subject::new(
        network.node(config),
        listen.parse().expect("an address"),
        foreign.into(),
    )
}

#[tokio::test(start_paused = true)]
async fn streams_over_ipv4() {
    check_transport(subject("/ip4/192.0.2.1/udp/0/quic-v1", Config::default())).await;
}

#[tokio::test(start_paused = true)]
async fn streams_over_ipv6() {
    check_transport(subject("/ip6/2001:db8::1/udp/0/quic-v1", Config::default())).await;
}

#[tokio::test(start_paused = true)]
async fn streams_with_high_throughput() {
    check_transport(subject("/ip4/192.0.2.1/udp/0/quic-v1", Config::high_throughput())).await;
}

#[tokio::test(start_paused = true)]
async fn streams_with_low_memory() {
    check_transport(subject("/ip4/192.0.2.1/udp/0/quic-v1", Config::low_memory())).await;
}

#[tokio::test(start_paused = true)]
async fn dialling_and_listening() {
    check_secure(&subject("/ip4/192.0.2.1/udp/0/quic-v1", Config::default())).await;
}
