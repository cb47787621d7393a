//! Probes and punches: connections of one asker that nobody else is told of, and dials that nobody joins.

use crate::rig::{ask, builder, echo, listening, started};
use sinew_core::{ConnectionEvent, DialOptions, Purpose, StreamEvent, Verdict};
use sinew_host::Timeouts;
use sinew_runtime::now;
use std::time::Duration;

fn probing() -> DialOptions {
    DialOptions::default().purpose(Purpose::Probe)
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_for_its_asker_and_for_nobody_else() {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let client = started(builder()).await;
    let (mut connections, mut streams) = (
        client.subscribe::<ConnectionEvent>(),
        client.subscribe::<StreamEvent>(),
    );
    let mut membership = client.membership();
    let probe = client.dial(&addr, probing()).await.expect("connects");
    let peer = server.peer_id();
    let stream = probe.open(["/echo"]).await.expect("opens");
    assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
    assert!(client.connections().is_empty() && client.peers().is_empty());
    assert!(client.connection(&peer).is_none(), "not for streams of others");
    assert!(client.peerstore().addrs(&peer, now()).is_empty());
    assert!(client.peerstore().peers().is_empty());
    let id = probe.info().id;
    assert!(
        client.connection_by_id(&peer, id).is_some(),
        "the asker may pass its id on"
    );
    drop(probe);
    tokio::time::sleep(Timeouts::default().spare * 3).await;
    assert!(
        client.connection_by_id(&peer, id).is_none(),
        "closed when its asker has left"
    );
    // What comes next is the first that anybody hears.
    client.connect(addr).await.expect("connects");
    let first = connections.next().await.expect("not lagged").expect("alive");
    assert!(
        matches!(&first, ConnectionEvent::Opened(info) if info.id != id),
        "{first:?}"
    );
    let state = membership.next().await.expect("alive");
    assert_eq!((state.peer, state.connections.len()), (peer, 1));
    assert_ne!(state.connections[0].id, id);
    client.new_stream(&peer, ["/echo"]).await.expect("opens");
    let stream = streams.next().await.expect("not lagged").expect("alive");
    assert!(
        matches!(&stream, StreamEvent::Opened { connection, .. } if connection.id != id),
        "{stream:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_beside_other_connections_changes_nothing_of_the_peer() {
    let (server, addr) = listening(builder()).await;
    let peer = server.peer_id();
    let client = started(builder()).await;
    let probe = client.dial(&addr, probing()).await.expect("connects");
    let used = client
        .dial(&addr, DialOptions::default())
        .await
        .expect("connects");
    let mut membership = client.membership();
    let before = membership.next().await.expect("alive");
    let second = client.dial(&addr, probing()).await.expect("connects");
    assert_eq!(
        client.connection(&peer).expect("connected").info().id,
        used.info().id
    );
    used.close(sinew_core::CloseCode::NONE);
    let gone = membership.next().await.expect("alive");
    assert!(!gone.is_connected(), "two probes are no connection: {gone:?}");
    let again = client
        .dial(&addr, DialOptions::default())
        .await
        .expect("connects");
    let back = membership.next().await.expect("alive");
    assert_eq!(back.connections[0].id, again.info().id);
    assert!(
        back.generation > before.generation,
        "it was gone, whatever the probes did"
    );
    assert_eq!(client.disconnect(&peer), 3, "the end of a peer is the end of all");
    for probe in [probe, second] {
        probe.closed().await;
    }
}

/// Denies every dial.
#[derive(Debug)]
struct DenyAll;

impl sinew_core::ConnectionGater for DenyAll {
    fn on_dial(&self, _: Option<&sinew_core::PeerId>, _: &sinew_core::Multiaddr) -> Verdict {
        Verdict::Deny
    }
}

#[tokio::test(start_paused = true)]
async fn a_gater_sees_probes_like_everything_else() {
    let (_server, addr) = listening(builder()).await;
    let client = started(builder().gater(DenyAll)).await;
    client.dial(&addr, probing()).await.expect_err("gated");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_probes_too() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let probe = client.dial(&addr, probing()).await.expect("connects");
    client.shutdown(Duration::ZERO).await;
    probe.closed().await;
    while !server.connections().is_empty() {
        tokio::task::yield_now().await;
    }
}
