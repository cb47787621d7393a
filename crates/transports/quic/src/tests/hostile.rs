//! Strangers that send nonsense, begin what they do not end, or show what proves nothing.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use quinn::crypto::rustls::QuicServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use sinew_core::{Blame, Culpable, Refusal, SecurityError, Transport, TransportError, Unlimited};
use sinew_identity::PeerId;
use sinew_runtime::{TaskScope, now, sleep, timeout};
use sinew_tls::{CertificateError, Verifier};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    bare::{Bare, HERE, own_certificate},
    net::Network,
    rig::{Pair, dial, finish, incoming, listening, serve},
};
use crate::{Config, QuicTransport};

const LATENCY: Duration = Duration::from_millis(1);

/// A socket address where nobody of ours is.
fn stranger(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    ([198, 51, high, low], 9).into()
}

fn socket_of(addr: &sinew_core::Multiaddr) -> SocketAddr {
    sinew_socket::quic_addr(addr).expect("an address of QUIC")
}

/// The node answers an honest dial at once.
async fn still_serves(network: &Network, there: &sinew_core::Multiaddr) {
    let honest = network.node(Config::default());
    let connection = timeout(Duration::from_secs(1), dial(&honest, there)).await;
    let connection = connection.expect("in time").expect("connects");
    let mut stream = connection.muxed.handle.open().await.expect("opens");
    stream.write_all(b"hello").await.expect("written");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"hello");
}

/// Bytes that differ from seed to seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test(start_paused = true)]
async fn garbage_is_never_answered_with_more_than_it_was() {
    let network = Network::new(LATENCY);
    let node = network.node(Config::default());
    let (listener, there) = listening(&node).await;
    let (tasks, to) = (TaskScope::new("test"), socket_of(&there));
    serve(listener, &tasks);
    let mut sent = 0;
    for number in 0..2000_u16 {
        let length = usize::from(number) % 1400;
        let mut payload = noise(number.into(), length);
        if let (Some(first), 1) = (payload.first_mut(), number % 2) {
            // The long header of a first packet, of version 1 where there is room for it.
            *first = 0xc0 | (number % 16).to_le_bytes()[0];
            payload
                .iter_mut()
                .skip(1)
                .zip([0, 0, 0, 1])
                .for_each(|(byte, version)| *byte = version);
        }
        network.send(stranger(number), to, &payload);
        sent += payload.len();
        sleep(Duration::from_micros(100)).await;
    }
    sleep(Duration::from_secs(1)).await;
    let (_, answered) = network.sent(to);
    assert!(answered <= sent, "{answered} bytes for {sent}");
    assert_eq!(node.tasks(), 1, "the socket, and no connection");
    still_serves(&network, &there).await;
}

#[tokio::test(start_paused = true)]
async fn unknown_versions_are_told_ours_and_leave_nothing() {
    let network = Network::new(LATENCY);
    let node = network.node(Config::default());
    let (listener, there) = listening(&node).await;
    let (tasks, to) = (TaskScope::new("test"), socket_of(&there));
    serve(listener, &tasks);
    for number in 0..500_u16 {
        let mut payload = vec![0; 1200];
        payload[..5].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a]);
        // Two connection ids of eight bytes.
        (payload[5], payload[14]) = (8, 8);
        network.send(stranger(number), to, &payload);
    }
    sleep(Duration::from_secs(1)).await;
    let (datagrams, bytes) = network.sent(to);
    assert_eq!(datagrams, 500, "one answer each");
    assert!(bytes < 500 * 100, "{bytes} bytes");
    assert_eq!(node.tasks(), 1);
    // Too short for a first packet of any version: not worth an answer.
    for number in 0..500_u16 {
        network.send(stranger(number), to, &[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 0, 0]);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(network.sent(to).0, 500);
    still_serves(&network, &there).await;
}

#[tokio::test(start_paused = true)]
async fn not_every_unknown_version_is_answered_in_a_flood() {
    let network = Network::new(LATENCY);
    let node = network.node(Config::default());
    let (listener, there) = listening(&node).await;
    let (tasks, to) = (TaskScope::new("test"), socket_of(&there));
    serve(listener, &tasks);
    let mut payload = vec![0; 1200];
    payload[..6].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8]);
    let flood = || {
        for number in 0..3000_u16 {
            network.send(stranger(number), to, &payload);
        }
    };
    flood();
    sleep(Duration::from_millis(10)).await;
    assert_eq!(network.sent(to).0, 1000);
    sleep(Duration::from_secs(2)).await;
    flood();
    sleep(Duration::from_millis(10)).await;
    assert_eq!(network.sent(to).0, 1100, "fifty more each second");
    still_serves(&network, &there).await;
}

#[tokio::test(start_paused = true)]
async fn half_open_handshakes_end_after_five_seconds_and_amplify_no_more_than_allowed() {
    let network = Network::new(LATENCY);
    let [deaf, node] = [(); 2].map(|()| network.node(Config::default()));
    let mut listener = node
        .listen(&"/ip4/203.0.113.1/udp/0/quic-v1".parse().expect("an address"))
        .await
        .expect("listens");
    let there = listener.addresses().remove(0);
    // What the node sends to the diallers' address is lost.
    network.deafen([192, 0, 2, 1].into());
    let begun = now();
    let dialling = futures_util::future::join_all((0..50).map(|_| {
        let dialling = dial(&deaf, &there);
        async { timeout(Duration::from_secs(1), dialling).await.is_err() }
    }));
    let arriving = async {
        let mut arrived = Vec::new();
        for _ in 0..50 {
            arrived.push(incoming(&mut *listener).await);
        }
        arrived
    };
    let (unanswered, arrived) = tokio::join!(dialling, arriving);
    assert!(unanswered.into_iter().all(|unanswered| unanswered));
    // Half of them heard that the dialler gave up; the others never hear anything again.
    let deadline = now();
    let finishing = arrived
        .into_iter()
        .map(|arrived| finish(arrived, Arc::new(Unlimited)));
    for finished in futures_util::future::join_all(finishing).await {
        let error = finished.expect_err("nobody is there");
        assert!(matches!(error.blame(), Blame::Network | Blame::Peer), "{error}");
    }
    assert!(
        now() - deadline <= Duration::from_secs(5) + LATENCY,
        "{:?}",
        now() - deadline
    );
    assert!(now() - begun >= Duration::from_secs(1));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(node.tasks(), 1, "the socket");
    let (theirs, ours) = (network.sent(socket_of(&there)).1, sent_by_dialler(&network));
    assert!(theirs <= 3 * ours, "{theirs} bytes for {ours}");
}

/// What came from the one address that diallers have here.
fn sent_by_dialler(network: &Network) -> usize {
    network.sent(([192, 0, 2, 1], 10_000).into()).1
}

#[tokio::test(start_paused = true)]
async fn while_enough_handshakes_lead_nowhere_addresses_have_to_be_proved() {
    let config = Config {
        max_unproved: 4,
        ..Config::default()
    };
    let network = Network::new(LATENCY);
    let [deaf, honest] = [(); 2].map(|()| network.node(Config::default()));
    let node = network.node(config);
    let listen = "/ip4/203.0.113.1/udp/0/quic-v1".parse().expect("an address");
    let mut listener = node.listen(&listen).await.expect("listens");
    let there = listener.addresses().remove(0);
    let own = deaf
        .listen(&"/ip4/198.51.100.1/udp/0/quic-v1".parse().expect("an address"))
        .await;
    network.deafen([198, 51, 100, 1].into());
    let tasks = TaskScope::new("test");
    for _ in 0..4 {
        let (deaf, there) = (deaf.clone(), there.clone());
        tasks.spawn("dial", async move { drop(dial(&deaf, &there).await) });
        let arrived = incoming(&mut *listener).await;
        assert!(!arrived.is_validated());
        tasks.spawn("finish", async move {
            drop(finish(arrived, Arc::new(Unlimited)).await);
        });
        sleep(LATENCY).await;
    }
    // The places are free again when quinn has forgotten those who were there.
    for (after, proved) in [(100, true), (5_000, true), (900, false)] {
        sleep(Duration::from_millis(after)).await;
        let dialling = timeout(Duration::from_millis(300), dial(&honest, &there));
        let (_, arrived) = tokio::join!(dialling, incoming(&mut *listener));
        assert_eq!(arrived.is_validated(), proved, "{after} ms later");
    }
    drop(own);
}

#[tokio::test(start_paused = true)]
async fn a_silent_handshake_is_cut_after_five_seconds() {
    let network = Network::new(LATENCY);
    let [ours, node] = [(); 2].map(|()| network.node(Config::default()));
    let mut listener = node
        .listen(&"/ip4/203.0.113.1/udp/0/quic-v1".parse().expect("an address"))
        .await
        .expect("listens");
    let there = listener.addresses().remove(0);
    network.deafen([192, 0, 2, 1].into());
    let mut dialling = std::pin::pin!(dial(&ours, &there));
    let arrived = tokio::select! {
        arrived = incoming(&mut *listener) => arrived,
        _ = &mut dialling => panic!("nobody answered"),
    };
    let begun = now();
    let finishing = finish(arrived, Arc::new(Unlimited));
    let error = tokio::select! {
        finished = finishing => finished.expect_err("nobody goes on"),
        _ = &mut dialling => panic!("the dialler waits longer"),
    };
    assert!(
        matches!(&error, TransportError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut),
        "{error}"
    );
    assert_eq!((now() - begun).as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn more_than_may_wait_for_a_decision_are_not_heard() {
    let config = Config {
        max_waiting: 4,
        ..Config::default()
    };
    let network = Network::new(LATENCY);
    let (ours, node) = (network.node(Config::default()), network.node(config));
    let (mut listener, there) = listening(&node).await;
    let dialling = futures_util::future::join_all(
        (0..20).map(|_| timeout(Duration::from_millis(500), dial(&ours, &there))),
    );
    drop(dialling.await);
    let mut waiting = 0;
    while let Ok(arrived) = timeout(Duration::from_millis(1), incoming(&mut *listener)).await {
        arrived.refuse(Refusal::Ignore);
        waiting += 1;
    }
    assert_eq!(waiting, 4);
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    still_serves(&network, &there).await;
}

#[tokio::test(start_paused = true)]
async fn another_peer_than_the_expected_one_is_refused_inside_the_handshake() {
    let network = Network::new(LATENCY);
    let [ours, theirs] = [(); 2].map(|()| network.node(Config::default()));
    let (mut listener, there) = listening(&theirs).await;
    let expected = PeerId::random();
    let request = sinew_core::DialRequest::new(Some(expected), sinew_core::Purpose::Use, Arc::new(Unlimited));
    let accepting = async { finish(incoming(&mut *listener).await, Arc::new(Unlimited)).await };
    let (dialled, accepted) = tokio::join!(ours.dial(&there, request), accepting);
    let error = dialled.expect_err("somebody else");
    assert!(
        matches!(error, TransportError::Security(SecurityError::WrongPeer { expected: wanted, .. }) if wanted == expected),
        "{error}"
    );
    let error = accepted.expect_err("the dialler says so before it proves itself");
    assert!(
        matches!(error, TransportError::Security(SecurityError::Handshake(_))),
        "{error}"
    );
}

/// A certificate as any web server might have one.
fn foreign_certificate() -> Arc<SingleCertAndKey> {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["libp2p".to_owned()]).expect("made");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let key = sinew_crypto::tls::provider()
        .key_provider
        .load_private_key(key)
        .expect("a key");
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(
        vec![cert.der().clone()],
        key,
    )))
}

#[tokio::test(start_paused = true)]
async fn a_dialler_without_a_certificate_of_libp2p_is_refused() {
    let network = Network::new(LATENCY);
    let node = network.node(Config::default());
    let (mut listener, there) = listening(&node).await;
    let mut crypto =
        sinew_tls::client_config(&own_certificate(), Verifier::new(None), vec![b"libp2p".to_vec()]);
    crypto.client_auth_cert_resolver = foreign_certificate();
    let error = refused(&network, &mut *listener, &there, crypto).await;
    let missing = CertificateError::MissingExtension.to_string();
    assert!(error.to_string().contains(&missing), "{error}");
    assert_eq!(error.blame(), Blame::Peer);
}

#[tokio::test(start_paused = true)]
async fn a_dialler_that_speaks_something_else_is_refused() {
    let network = Network::new(LATENCY);
    let node = network.node(Config::default());
    let (mut listener, there) = listening(&node).await;
    let crypto = sinew_tls::client_config(&own_certificate(), Verifier::new(None), vec![b"h3".to_vec()]);
    let error = refused(&network, &mut *listener, &there, crypto).await;
    assert!(
        matches!(error, TransportError::Security(SecurityError::Handshake(_))),
        "{error}"
    );
}

/// What the listener says to a dialler with `crypto`, which learns of it.
async fn refused(
    network: &Network,
    listener: &mut dyn sinew_core::Listener,
    there: &sinew_core::Multiaddr,
    crypto: rustls::ClientConfig,
) -> TransportError {
    let dialler = Bare::new(network, HERE);
    let connecting = dialler.dial_with(there, crypto);
    let dialling = async {
        let connection = connecting.await?;
        // A dialler may be done before the listener has seen its certificate.
        Err::<(), _>(connection.closed().await)
    };
    let accepting = async { finish(incoming(listener).await, Arc::new(Unlimited)).await };
    let (dialled, accepted) = tokio::join!(dialling, accepting);
    let told = dialled.expect_err("it learns that it was refused");
    assert!(
        matches!(told, quinn::ConnectionError::ConnectionClosed(_)),
        "{told}"
    );
    accepted.expect_err("it is refused")
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_a_certificate_of_libp2p_is_refused() {
    let network = Network::new(LATENCY);
    let ours = network.node(Config::default());
    let mut crypto =
        sinew_tls::server_config(&own_certificate(), Verifier::new(None), vec![b"libp2p".to_vec()]);
    crypto.cert_resolver = foreign_certificate();
    let config = QuicServerConfig::try_from(crypto).expect("with the suite of first packets");
    let server = Bare::serving(&network, quinn::ServerConfig::with_crypto(Arc::new(config)));
    let there = sinew_socket::quic_multiaddr(server.endpoint.local_addr().expect("bound"));
    let accepting = async { server.endpoint.accept().await.expect("it comes").await };
    let (dialled, accepted) = tokio::join!(dial(&ours, &there), accepting);
    let error = dialled.expect_err("it proves nothing");
    assert!(
        error
            .to_string()
            .contains(&CertificateError::MissingExtension.to_string()),
        "{error}"
    );
    assert!(
        matches!(error, TransportError::Security(SecurityError::Handshake(_))),
        "{error:?}"
    );
    accepted.expect_err("it learns that it was refused");
}

#[tokio::test(start_paused = true)]
async fn streams_without_end_are_bounded_and_touch_nobody_else() {
    let pair = Pair::new(Config::default(), LATENCY).await;
    let handle = pair.ours.muxed.handle.clone();
    // As many as may be open, and their opener says nothing more.
    let flood = async {
        let mut held = Vec::new();
        loop {
            let mut stream = handle.open().await.expect("opens, or waits");
            stream.write_all(b"x").await.expect("written");
            held.push(stream);
            assert!(
                held.len() <= 16,
                "more streams than are allowed before one was accepted"
            );
        }
    };
    let mut flood = std::pin::pin!(flood);
    let outcome = timeout(Duration::from_secs(5), &mut flood).await;
    assert!(outcome.is_err(), "it waits in the end");
    // The other direction has its own streams, and other connections theirs.
    let mut theirs = pair.theirs.muxed.handle.open().await.expect("opens");
    theirs.write_all(b"y").await.expect("written");
    let node = &pair.nodes[1];
    let (listener, there) = listening(node).await;
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    still_serves(&pair.network, &there).await;
}

#[tokio::test(start_paused = true)]
async fn streams_of_one_direction_are_not_taken() {
    let network = Network::new(LATENCY);
    let node: QuicTransport = network.node(Config::default());
    let (mut listener, there) = listening(&node).await;
    let dialler = Bare::new(&network, HERE);
    let connecting = dialler.dial(&there);
    let accepting = async { finish(incoming(&mut *listener).await, Arc::new(Unlimited)).await };
    let (dialled, accepted) = tokio::join!(connecting, accepting);
    let (dialled, _accepted) = (dialled.expect("connects"), accepted.expect("accepts"));
    assert!(
        timeout(Duration::from_secs(5), dialled.open_uni()).await.is_err(),
        "none is allowed"
    );
    assert_eq!(dialled.max_datagram_size(), None, "nor are datagrams");
}
