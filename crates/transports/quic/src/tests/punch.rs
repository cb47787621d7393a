//! Holes in NATs, from both sides.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sinew_core::{
    Blame, Culpable, DialRequest, Link, Listener, Multiaddr, Purpose, Role, SecureConnection, SecurityError,
    Transport, TransportError, Unlimited,
};
use sinew_identity::PeerId;
use sinew_runtime::{sleep, timeout};
use sinew_tls::Verifier;

use super::{
    bare::{Bare, own_certificate},
    net::Network,
    rig::{addr, dial_for, incoming},
};
use crate::{Config, QuicTransport};

const LATENCY: Duration = Duration::from_millis(50);

/// Longer than a punch takes.
const LONG: Duration = Duration::from_secs(8);

/// A node behind a NAT of its own.
struct Hidden {
    node: QuicTransport,
    listener: Box<dyn Listener>,
    addr: Multiaddr,
}

impl Hidden {
    async fn new(network: &Network, ip: [u8; 4]) -> Self {
        let node = network.node(Config::default());
        network.hide(ip.into());
        let [a, b, c, d] = ip;
        let listen = format!("/ip4/{a}.{b}.{c}.{d}/udp/0/quic-v1");
        let listener = node.listen(&addr(&listen)).await.expect("listens");
        let addr = listener.addresses().remove(0);
        Self { node, listener, addr }
    }

    fn socket(&self) -> SocketAddr {
        sinew_socket::quic_addr(&self.addr).expect("an address of QUIC")
    }

    /// Punches towards `there` in the listener's role, while the listener is looked after as a host does.
    async fn punch(
        &mut self,
        there: &Multiaddr,
        expected: Option<PeerId>,
    ) -> Result<SecureConnection, TransportError> {
        let purpose = Purpose::Punch(Role::Listener);
        let request = DialRequest::new(expected, purpose, Arc::new(Unlimited));
        tokio::select! {
            link = self.node.dial(there, request) => link.map(|link| match link {
                Link::Secure(secure) => secure,
                other => panic!("{other:?}"),
            }),
            _ = incoming(&mut *self.listener) => panic!("the connection is the punch's"),
        }
    }
}

async fn both() -> (Network, [Hidden; 2]) {
    let network = Network::new(LATENCY);
    let nodes = [
        Hidden::new(&network, [203, 0, 113, 1]).await,
        Hidden::new(&network, [198, 51, 100, 1]).await,
    ];
    (network, nodes)
}

#[tokio::test(start_paused = true)]
async fn two_nodes_behind_nats_meet() {
    for early in [Duration::ZERO, Duration::from_millis(300)] {
        let (network, [dialler, mut listener]) = both().await;
        let there = listener.addr.clone();
        let dialling = async {
            sleep(early).await;
            dial_for(&dialler.node, &there, Purpose::Punch(Role::Dialer)).await
        };
        let punching = async {
            sleep(Duration::from_millis(300) - early).await;
            listener.punch(&dialler.addr, None).await
        };
        let (dialled, accepted) = timeout(LONG, async { tokio::join!(dialling, punching) })
            .await
            .expect("in time");
        let (dialled, accepted) = (dialled.expect("dials"), accepted.expect("punches"));
        assert_eq!((&dialled.remote, &accepted.remote), (&there, &dialler.addr));
        assert_eq!((&dialled.local, &accepted.local), (&dialler.addr, &there));
        // Nothing is sent once the connection stands and is idle.
        sleep(Duration::from_secs(5)).await;
        let sent = network.sent(listener.socket()).0;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(network.sent(listener.socket()).0, sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_alone_makes_no_hole() {
    let (_network, [dialler, listener]) = both().await;
    let dialling = dial_for(&dialler.node, &listener.addr, Purpose::Punch(Role::Dialer));
    assert!(timeout(LONG, dialling).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn datagrams_of_random_bytes_leave_every_10_to_200_milliseconds_until_the_punch_is_given_up() {
    let (network, [nobody, mut listener]) = both().await;
    let seconds = 60;
    let punching = listener.punch(&nobody.addr, None);
    assert!(timeout(Duration::from_secs(seconds), punching).await.is_err());
    let (datagrams, bytes) = network.sent(listener.socket());
    assert!(
        (seconds * 5..seconds * 100).contains(&(datagrams as u64)),
        "{datagrams} datagrams"
    );
    assert_eq!(bytes, datagrams * 64);
    sleep(LONG).await;
    assert_eq!(network.sent(listener.socket()).0, datagrams);
    // Who comes now, comes as anybody does.
    let dialling = dial_for(&nobody.node, &listener.addr, Purpose::Use);
    let arrived = async { incoming(&mut *listener.listener).await };
    tokio::select! {
        _ = dialling => panic!("nobody answers"),
        arrived = arrived => assert_eq!(arrived.remote(), &nobody.addr),
    }
}

#[tokio::test(start_paused = true)]
async fn another_peer_than_the_expected_one_is_told_apart() {
    let (_network, [dialler, mut listener]) = both().await;
    let (there, here) = (listener.addr.clone(), dialler.addr.clone());
    let expected = PeerId::random();
    let dialling = dial_for(&dialler.node, &there, Purpose::Punch(Role::Dialer));
    let (_, punched) = tokio::join!(
        timeout(LONG, dialling),
        timeout(LONG, listener.punch(&here, Some(expected)))
    );
    let error = punched.expect("in time").expect_err("somebody else");
    assert!(
        matches!(error, TransportError::Security(SecurityError::WrongPeer { expected: wanted, .. }) if wanted == expected),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_fails_ends_no_punch() {
    let network = Network::new(LATENCY);
    let mut listener = Hidden::new(&network, [198, 51, 100, 1]).await;
    let (there, here) = (listener.addr.clone(), ([203, 0, 113, 1], 4001));
    let dialler = Bare::new(&network, here);
    let dialling = async {
        let other = sinew_tls::client_config(&own_certificate(), Verifier::new(None), vec![b"h3".to_vec()]);
        let refused = dialler.dial_with(&there, other).await;
        refused.expect_err("it speaks something else");
        dialler.dial(&there).await
    };
    let here = sinew_socket::quic_multiaddr(here.into());
    let (dialled, punched) = timeout(LONG, async {
        tokio::join!(dialling, listener.punch(&here, None))
    })
    .await
    .expect("in time");
    dialled.expect("connects");
    assert_eq!(punched.expect("punches").remote, here);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_listen_waits_for_nobody() {
    let network = Network::new(LATENCY);
    let node = network.node(Config::default());
    let there = addr("/ip4/203.0.113.1/udp/4001/quic-v1");
    let waiting = dial_for(&node, &there, Purpose::Punch(Role::Listener)).await;
    let error = waiting.expect_err("nobody can come");
    assert_eq!(
        (error.blame(), error.is_retryable()),
        (Blame::Local, false),
        "{error}"
    );
}
