//! Limits and deadlines of inbound connections.

use crate::rig::{ask, builder, echo, listening, silent, started};
use sinew_core::{
    CloseReason, ConnectionEvent, ConnectionGater, DialOptions, Layer, OpenOptions, Purpose, UpgradeError,
    Verdict, code,
};
use sinew_host::{Limits, Timeouts};
use sinew_identity::PeerId;
use sinew_runtime::now;
use std::time::Duration;

fn tight() -> Limits {
    let mut limits = Limits::default();
    (
        limits.pending,
        limits.pending_per_address,
        limits.pending_per_subnet,
    ) = (8, 8, 8);
    limits
}

#[tokio::test(start_paused = true)]
async fn a_thousand_silent_connections_do_not_keep_a_newcomer_out() {
    let (server, addr) = listening(builder().limits(tight())).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let mut silents = Vec::new();
    for n in 0..1000 {
        silents.push(silent(&addr).await);
        if n % 100 == 50 {
            let client = started(builder()).await;
            let begun = now();
            let peer = client.connect(addr.clone()).await.expect("gets in");
            let stream = client.new_stream(&peer, ["/echo"]).await.expect("opens");
            assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
            assert_eq!(now() - begun, Duration::ZERO, "without waiting for anybody");
            client.shutdown(Duration::ZERO).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_cut_after_five_seconds_and_after_three_in_a_crowd() {
    for (others, expected) in [(0, 5), (6, 3)] {
        let (server, addr) = listening(builder().limits(tight())).await;
        let mut events = server.subscribe::<ConnectionEvent>();
        let mut held = Vec::new();
        for _ in 0..=others {
            held.push(silent(&addr).await);
        }
        let begun = now();
        let event = events.next().await.expect("not lagged").expect("alive");
        let ConnectionEvent::InboundFailed { error, .. } = event else {
            panic!("{event:?}")
        };
        assert!(
            matches!(
                &*error,
                UpgradeError::Timeout {
                    layer: Layer::SecurityNegotiation,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(
            now() - begun,
            Duration::from_secs(expected),
            "with {others} others"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_shorter_than_that_of_a_crowd_holds() {
    let mut timeouts = Timeouts::default();
    timeouts.inbound = Duration::from_secs(1);
    let (server, addr) = listening(builder().timeouts(timeouts)).await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let (_held, begun) = (silent(&addr).await, now());
    let event = events.next().await.expect("not lagged").expect("alive");
    assert!(
        matches!(event, ConnectionEvent::InboundFailed { .. }),
        "{event:?}"
    );
    assert_eq!(now() - begun, timeouts.inbound);
}

#[tokio::test(start_paused = true)]
async fn no_deadline_waits_for_the_next_whole_second() {
    let mut timeouts = Timeouts::default();
    timeouts.inbound_first = Duration::from_millis(3500);
    let (server, addr) = listening(builder().timeouts(timeouts)).await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let (_held, begun) = (silent(&addr).await, now());
    events.next().await.expect("not lagged").expect("alive");
    assert_eq!(now() - begun, timeouts.inbound_first);
}

#[tokio::test(start_paused = true)]
async fn one_byte_a_second_ends_at_the_deadline_of_the_first_layer() {
    let (server, addr) = listening(builder()).await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let mut slow = silent(&addr).await;
    let begun = now();
    let drip = async {
        for byte in b"\x13/multistream/1.0.0\n" {
            tokio::io::AsyncWriteExt::write_all(&mut slow.io, &[*byte])
                .await
                .expect("taken");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = drip => panic!("it was never cut"),
        event = events.next() => assert!(matches!(event, Ok(Some(ConnectionEvent::InboundFailed { .. })))),
    }
    assert_eq!(now() - begun, Timeouts::default().inbound_first);
}

#[tokio::test(start_paused = true)]
async fn connections_of_one_peer_are_limited_and_the_refused_one_learns_a_code() {
    let mut limits = Limits::default();
    limits.connections_per_peer = 2;
    let (server, addr) = listening(builder().limits(limits)).await;
    let client = started(builder()).await;
    let dial = || client.dial(addr.clone(), DialOptions::default().purpose(Purpose::Probe));
    let (_first, _second) = (dial().await.expect("connects"), dial().await.expect("connects"));
    let mut events = server.subscribe::<ConnectionEvent>();
    // With plaintext the muxer is agreed on after the peer is known: nothing was paid for one.
    let refused = dial().await.expect_err("two are enough");
    assert!(refused.to_string().contains("muxer negotiation"), "{refused}");
    let event = events.next().await.expect("not lagged").expect("alive");
    let ConnectionEvent::InboundFailed { error, .. } = event else {
        panic!("{event:?}")
    };
    assert!(error.to_string().contains("2 of 2 connections used"), "{error}");
    assert_eq!(server.connections().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_many_handshakes_of_one_peer_at_once_no_more_than_its_limit_are_kept() {
    let mut limits = Limits::default();
    limits.connections_per_peer = 2;
    let (server, addr) = listening(builder().limits(limits)).await;
    let client = started(builder()).await;
    let dial = || client.dial(addr.clone(), DialOptions::default().purpose(Purpose::Probe));
    // They pass the first look together, before any of them is in the table.
    let dialled = futures_util::future::join_all((0..5).map(|_| dial())).await;
    let mut open = 0;
    for connection in dialled.iter().flatten() {
        match tokio::time::timeout(Duration::from_secs(1), connection.closed()).await {
            Ok(CloseReason::Remote(code)) => assert_eq!(code, code::connection::RESOURCE_LIMIT),
            Ok(reason) => panic!("{reason}"),
            Err(_) => open += 1,
        }
    }
    assert_eq!((server.connections().len(), open), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_full_house_refuses_before_any_handshake() {
    let mut limits = Limits::default();
    limits.inbound_connections = 1;
    let (server, addr) = listening(builder().limits(limits)).await;
    let (first, second) = (started(builder()).await, started(builder()).await);
    server.set_stream_handler("/echo", echo).expect("free");
    let peer = first.connect(addr.clone()).await.expect("connects");
    let mut stream = first.new_stream(&peer, ["/echo"]).await.expect("opens");
    stream.write_all(b"x").await.expect("sent");
    stream
        .read_exact(&mut [0])
        .await
        .expect("the connection is in use");
    let mut events = server.subscribe::<ConnectionEvent>();
    second.connect(addr.clone()).await.expect_err("full");
    let event = events.next().await.expect("not lagged").expect("alive");
    let ConnectionEvent::InboundFailed { error, .. } = event else {
        panic!("{event:?}")
    };
    assert!(error.to_string().contains("1 of 1 connections used"), "{error}");
    first.disconnect(&server.peer_id());
    while !server.connections().is_empty() {
        tokio::task::yield_now().await;
    }
    second.connect(addr).await.expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn who_holds_a_handle_of_an_ended_connection_holds_no_place() {
    let mut limits = Limits::default();
    (limits.connections_per_peer, limits.inbound_connections) = (1, 1);
    let (server, addr) = listening(builder().limits(limits)).await;
    let client = started(builder()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        client.connect(addr.clone()).await.expect("there is a place");
        held.extend(server.connection(&client.peer_id()));
        client.disconnect(&server.peer_id());
        while !server.connections().is_empty() || !client.connections().is_empty() {
            tokio::task::yield_now().await;
        }
        let connections = |usage: &&sinew_core::Usage| usage.resource == sinew_core::Resource::Connections;
        let usage = server.resources().system;
        assert!(
            usage.iter().filter(connections).all(|usage| usage.used == 0),
            "{usage:?}"
        );
    }
    assert_eq!(held.len(), 3);
}

#[derive(Debug)]
struct DenyPeer(PeerId);

impl ConnectionGater for DenyPeer {
    fn on_secured(&self, _: sinew_core::Direction, peer: &PeerId, _: &sinew_core::Multiaddr) -> Verdict {
        if *peer == self.0 {
            Verdict::Deny
        } else {
            Verdict::Allow
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_gater_refuses_a_peer_once_it_is_known() {
    let (liked, disliked) = (started(builder()).await, started(builder()).await);
    let (server, addr) = listening(builder().gater(DenyPeer(disliked.peer_id()))).await;
    liked.connect(addr.clone()).await.expect("connects");
    // The dialler may be done before the listener refuses; either way it is out.
    if disliked.connect(addr).await.is_ok() {
        let connection = disliked.connection(&server.peer_id());
        if let Some(connection) = connection {
            connection.closed().await;
        }
    }
    assert_eq!(server.peers(), [liked.peer_id()]);
}

#[tokio::test(start_paused = true)]
async fn endless_negotiations_cut_their_connection_and_no_other() {
    flooded(100).await;
}

#[tokio::test(start_paused = true)]
async fn so_do_long_ones_that_their_dialler_ends() {
    flooded(60).await;
}

/// Somebody proposes so many names in each negotiation, and ends with it if the server does not.
async fn flooded(names: usize) {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let (honest, flooder) = (started(builder()).await, started(builder()).await);
    let peer = honest.connect(addr.clone()).await.expect("connects");
    let flood = flooder
        .dial(addr, DialOptions::default())
        .await
        .expect("connects");
    let begun = now();
    let mut opened = 0;
    let options = OpenOptions::default().eager();
    // Whatever the server says to a stream, the next one is opened, until there is no connection for it.
    while flood
        .open_with((0..names).map(|n| format!("/no/{n}")), options.clone())
        .await
        .is_err()
        && opened < 1000
    {
        opened += 1;
        if server.connections().len() == 1 {
            break;
        }
    }
    assert!(
        opened < 20,
        "17 negotiations of 60 messages are more than the budget: {opened}"
    );
    let reason = flood.closed().await;
    assert!(
        matches!(reason, CloseReason::Remote(code) if code == code::connection::PROTOCOL_VIOLATION),
        "{reason}"
    );
    assert_eq!(now(), begun, "at once");
    let stream = honest.new_stream(&peer, ["/echo"]).await.expect("opens");
    assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
}
