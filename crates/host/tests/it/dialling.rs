//! Dialling: targets, flights, races, errors.

use crate::rig::{builder, listening, started, with_key};
use multiaddr::Multiaddr;
use sinew_core::{
    AttemptError, ConnectionGater, DialError, DialOptions, DialTarget, Lifetime, Purpose, ResolveError,
    Resolved, Resolver, SecurityError, UpgradeError, Verdict,
};
use sinew_host::Timeouts;
use sinew_identity::{Keypair, PeerId};
use sinew_runtime::now;
use std::time::Duration;
use tokio::io::AsyncReadExt;

fn nobody() -> Multiaddr {
    "/memory/18446744073709551615".parse().expect("an address")
}

#[tokio::test(start_paused = true)]
async fn by_address_by_peer_and_by_several_addresses() {
    let (server, addr) = listening(builder()).await;
    let with_peer = sinew_addr::join_peer(addr.clone(), &server.peer_id()).expect("no other peer");
    let targets: [DialTarget; 4] = [
        addr.clone().into(),
        with_peer.into(),
        vec![nobody(), addr.clone()].into(),
        (server.peer_id(), vec![nobody(), addr.clone()]).into(),
    ];
    for target in targets {
        let client = started(builder()).await;
        assert_eq!(
            client.connect(target.clone()).await.expect("connects"),
            server.peer_id(),
            "{target:?}"
        );
        client.shutdown(Duration::ZERO).await;
    }
    let client = started(builder()).await;
    client
        .peerstore()
        .add_addrs(&server.peer_id(), &[addr], Lifetime::Permanent, now());
    assert_eq!(
        client.connect(server.peer_id()).await.expect("connects"),
        server.peer_id()
    );
}

#[tokio::test(start_paused = true)]
async fn callers_who_want_the_same_share_one_dial_and_those_who_do_not_do_not() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let dial = |purpose| {
        client.dial(
            (server.peer_id(), vec![addr.clone()]),
            DialOptions::default().purpose(purpose),
        )
    };
    let use_any = Purpose::Use;
    let (a, b, c) = tokio::join!(dial(use_any), dial(use_any), dial(use_any));
    let ids = [a, b, c].map(|connection| connection.expect("connects").info().id);
    assert!(ids.iter().all(|id| *id == ids[0]), "one dial for all: {ids:?}");
    assert_eq!(client.connections().len(), 1);
    let probe = dial(Purpose::Probe).await.expect("connects");
    assert_ne!(probe.info().id, ids[0], "a probe is always new");
    while server.connections().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.connections().len(), 1, "and nobody else's");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_dial_is_given_up_unless_somebody_else_waits() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let target = (server.peer_id(), vec![addr]);
    let mut first = Box::pin(client.connect(target.clone()));
    assert!(futures_util::future::poll_immediate(&mut first).await.is_none());
    let mut second = Box::pin(client.connect(target.clone()));
    assert!(futures_util::future::poll_immediate(&mut second).await.is_none());
    drop(first);
    second.await.expect("goes on for the second");
    assert_eq!(client.connections().len(), 1);
    let lonely = started(builder()).await;
    let mut only = Box::pin(lonely.connect(target));
    assert!(futures_util::future::poll_immediate(&mut only).await.is_none());
    drop(only);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(lonely.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_error_lists_every_address_with_its_own_cause() {
    let (_server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let stranger = PeerId::random();
    let tcp: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().expect("an address");
    let name: Multiaddr = "/dns4/example.invalid/tcp/1".parse().expect("an address");
    let target = (stranger, vec![nobody(), addr.clone(), tcp.clone(), name.clone()]);
    let report = client.explain(target, DialOptions::default()).await;
    let error = |addr: &Multiaddr| {
        let attempt = report
            .attempts
            .iter()
            .find(|attempt| attempt.addr == *addr)
            .expect("tried");
        attempt.error().expect("failed")
    };
    assert!(matches!(error(&nobody()), AttemptError::Transport(_)));
    assert!(matches!(
        error(&addr),
        AttemptError::Upgrade(UpgradeError::Security(SecurityError::WrongPeer { expected, .. })) if *expected == stranger
    ));
    assert!(matches!(error(&tcp), AttemptError::NoTransport));
    assert!(matches!(error(&name), AttemptError::Resolve(_)));
    let failed = report.outcome.expect_err("nothing worked");
    let text = failed.to_string();
    assert!(
        [&addr, &tcp, &name]
            .iter()
            .all(|addr| text.contains(&addr.to_string())),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_address_delays_the_next_by_a_quarter_of_a_second_and_no_more() {
    // A listener of the transport alone: it accepts and never says a word.
    let silent = sinew_memory::MemoryTransport::new();
    let listener = sinew_core::Transport::listen(&silent, &"/memory/0".parse().expect("one"))
        .await
        .expect("listens");
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let started = now();
    let target = (server.peer_id(), vec![listener.addresses().remove(0), addr]);
    let report = client.explain(target, DialOptions::default()).await;
    report.outcome.expect("the second address works");
    assert_eq!(now() - started, Duration::from_millis(250));
    let lost = report
        .attempts
        .iter()
        .find(|attempt| attempt.outcome.is_err())
        .expect("the first is listed");
    assert!(matches!(lost.error(), Some(AttemptError::Superseded)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_costs_the_deadline_and_the_error_names_the_layer() {
    let silent = sinew_memory::MemoryTransport::new();
    let listener = sinew_core::Transport::listen(&silent, &"/memory/0".parse().expect("one"))
        .await
        .expect("listens");
    let client = started(builder()).await;
    let begun = now();
    let error = client
        .connect(listener.addresses())
        .await
        .expect_err("nobody answers");
    assert_eq!(now() - begun, Timeouts::default().outbound);
    assert!(
        error
            .to_string()
            .contains("security negotiation: negotiation not done within 10s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_dials_itself_or_two_peers_at_once() {
    let key = Keypair::generate();
    let (host, addr) = listening(with_key(key.clone())).await;
    assert!(matches!(
        host.connect(host.peer_id()).await,
        Err(DialError::OwnPeerId)
    ));
    let error = host.connect(addr.clone()).await.expect_err("it is us");
    assert!(error.to_string().contains("this node itself"), "{error}");
    let named = |peer| sinew_addr::join_peer(addr.clone(), &peer).expect("no other peer");
    let two = vec![named(PeerId::random()), named(PeerId::random())];
    assert!(matches!(host.connect(two).await, Err(DialError::DifferentPeers)));
    assert!(matches!(host.connect(Vec::new()).await, Err(DialError::NoTarget)));
    assert!(matches!(
        host.connect(PeerId::random()).await,
        Err(DialError::NoAddresses(_))
    ));
}

#[derive(Debug)]
struct DenyDial;

impl ConnectionGater for DenyDial {
    fn on_dial(&self, _: Option<&PeerId>, _: &Multiaddr) -> Verdict {
        Verdict::Deny
    }
}

#[tokio::test(start_paused = true)]
async fn the_gater_is_asked_before_anything_is_sent() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder().gater(DenyDial)).await;
    let report = client.explain(addr, DialOptions::default()).await;
    assert!(matches!(report.attempts[0].error(), Some(AttemptError::Gated)));
    assert!(server.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_address_is_learnt_by_dialling_it() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let peer = client.connect(addr.clone()).await.expect("connects");
    assert_eq!(client.peerstore().addrs(&peer, now()), [addr]);
    client.disconnect(&peer);
    client
        .connect(peer)
        .await
        .expect("found again by its peer id alone");
    assert_eq!(peer, server.peer_id());
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_talks_nonsense_is_cut_and_named() {
    let (server, addr) = listening(builder()).await;
    let mut events = server.subscribe::<sinew_core::ConnectionEvent>();
    let transport = sinew_memory::MemoryTransport::new();
    let request =
        sinew_core::DialRequest::new(None, Purpose::Use, std::sync::Arc::new(sinew_core::Unlimited));
    let link = sinew_core::Transport::dial(&transport, &addr, request)
        .await
        .expect("connects");
    let sinew_core::Link::Raw(mut raw) = link else {
        panic!("memory is raw")
    };
    tokio::io::AsyncWriteExt::write_all(&mut raw.io, b"GET / HTTP/1.1\r\n\r\n")
        .await
        .expect("sent");
    let mut rest = Vec::new();
    let _ = raw.io.read_to_end(&mut rest).await;
    let event = events.next().await.expect("not lagged").expect("alive");
    let sinew_core::ConnectionEvent::InboundFailed { error, .. } = event else {
        panic!("{event:?}")
    };
    assert!(matches!(&*error, UpgradeError::Negotiation { .. }), "{error}");
}

/// Takes so long for each name, and finds nothing.
#[derive(Debug)]
struct Slow(Duration);

#[async_trait::async_trait]
impl Resolver for Slow {
    async fn resolve(&self, addr: &Multiaddr) -> Result<Vec<Resolved>, ResolveError> {
        tokio::time::sleep(self.0).await;
        Err(ResolveError::NotFound(addr.to_string()))
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_side_by_side_and_listed_when_time_runs_out() {
    let second = Duration::from_secs(1);
    let client = started(builder().resolver(Slow(second * 5))).await;
    let names: Vec<Multiaddr> = (0..3)
        .map(|n| format!("/dns4/{n}.example/tcp/1").parse().expect("an address"))
        .collect();
    for (timeout, took) in [(second * 15, second * 5), (second, second)] {
        let begun = now();
        let options = DialOptions::default().timeout(timeout);
        let report = client.explain(names.clone(), options).await;
        assert_eq!(now() - begun, took);
        let listed: Vec<_> = report
            .attempts
            .iter()
            .map(|attempt| attempt.addr.clone())
            .collect();
        assert_eq!(listed, names);
        report.outcome.expect_err("no address was found");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_host_ends_its_dials() {
    let silent = sinew_memory::MemoryTransport::new();
    let listener = sinew_core::Transport::listen(&silent, &"/memory/0".parse().expect("one"))
        .await
        .expect("listens");
    let client = started(builder()).await;
    let begun = now();
    let shutdown = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.shutdown(Duration::ZERO).await;
    };
    let (outcome, ()) = tokio::join!(client.connect(listener.addresses()), shutdown);
    assert!(matches!(outcome, Err(DialError::NotRunning)), "{outcome:?}");
    assert_eq!(now() - begun, Duration::from_secs(1));
}
