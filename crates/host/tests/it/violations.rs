//! Streams that are reset for what came over them.

use crate::rig::{ask, builder, echo, listening, started};
use sinew_core::{
    CloseCode, CloseReason, Connection, ConnectionEvent, DialOptions, Host, Multiaddr, OpenOptions, Stream,
    code,
};
use sinew_runtime::{now, sleep, timeout};
use std::time::Duration;

/// A protocol over which nothing may be said.
const STRICT: &str = "/strict";

/// Blames the peer for whatever comes but the end.
async fn strict(mut stream: Stream) {
    if !matches!(stream.read_chunk().await, Ok(None)) {
        stream.reset(code::stream::PROTOCOL_VIOLATION);
    }
}

async fn strict_server() -> (Host, Multiaddr) {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler(STRICT, strict).expect("free");
    server.set_stream_handler("/echo", echo).expect("free");
    (server, addr)
}

async fn dialled(addr: &Multiaddr) -> (Host, Connection) {
    let client = started(builder()).await;
    let dialling = client.dial(addr.clone(), DialOptions::default());
    let connection = dialling.await.expect("connects");
    (client, connection)
}

/// Why a connection ended, which it has by now.
async fn ended(connection: &Connection) -> CloseReason {
    let ended = timeout(Duration::from_secs(1), connection.closed()).await;
    ended.expect("it was cut")
}

/// Breaks the rule once; the code that it brought, none if there is no connection any more.
async fn break_rule(connection: &Connection) -> Option<CloseCode> {
    let mut stream = connection.open([STRICT]).await.ok()?;
    stream.write_all(b"x").await.ok()?;
    stream.flush().await.ok()?;
    Some(stream.reset_by_peer().await)
}

#[tokio::test(start_paused = true)]
async fn whoever_breaks_rules_without_end_is_cut_and_nobody_else() {
    let (server, addr) = strict_server().await;
    let (honest, _kept) = dialled(&addr).await;
    let (_client, connection) = dialled(&addr).await;
    let (begun, mut events) = (now(), server.subscribe::<ConnectionEvent>());
    for n in 0..100 {
        let reset = break_rule(&connection).await;
        assert_eq!(reset, Some(code::stream::PROTOCOL_VIOLATION), "stream {n}");
    }
    break_rule(&connection).await;
    let told = ended(&connection).await;
    assert!(
        matches!(told, CloseReason::Remote(code) if code == code::connection::PROTOCOL_VIOLATION),
        "{told}"
    );
    let event = events.next().await.expect("not lagged");
    assert!(
        matches!(&event, Some(ConnectionEvent::Closed(_, CloseReason::Abuse(protocol))) if *protocol == *STRICT),
        "{event:?}"
    );
    assert_eq!(now(), begun, "at once");
    let stream = honest.new_stream(&server.peer_id(), ["/echo"]).await;
    assert_eq!(ask(stream.expect("opens"), b"x").await.expect("answers"), b"x");
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_the_connection_here_hears_why_it_was_cut() {
    let (server, addr) = strict_server().await;
    let (client, connection) = dialled(&addr).await;
    let held = server.connection(&client.peer_id()).expect("is there");
    for _ in 0..=100 {
        break_rule(&connection).await;
    }
    let reason = ended(&held).await;
    assert!(
        matches!(&reason, CloseReason::Abuse(protocol) if *protocol == *STRICT),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_now_and_then_is_borne() {
    let (_server, addr) = strict_server().await;
    let (_client, connection) = dialled(&addr).await;
    for _ in 0..5 * 60 {
        assert_eq!(
            break_rule(&connection).await,
            Some(code::stream::PROTOCOL_VIOLATION)
        );
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_cancels_or_is_refused_otherwise_breaks_no_rule() {
    let (server, addr) = strict_server().await;
    let limited = |stream: Stream| async move { stream.reset(code::stream::RATE_LIMITED) };
    server.set_stream_handler("/limited", limited).expect("free");
    let (_client, connection) = dialled(&addr).await;
    for _ in 0..300 {
        let options = OpenOptions::default().eager();
        let stream = connection.open_with([STRICT], options).await.expect("opens");
        // The handler sees that, and blames its peer in vain.
        stream.reset(CloseCode::NONE);
        let mut stream = connection.open(["/limited"]).await.expect("opens");
        stream.flush().await.expect("is there");
        assert_eq!(stream.reset_by_peer().await, code::stream::RATE_LIMITED);
    }
    assert_eq!(server.connections().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_over_our_own_streams_is_no_flood() {
    let (server, addr) = strict_server().await;
    let (_client, connection) = dialled(&addr).await;
    for _ in 0..300 {
        let mut stream = connection.open(["/echo"]).await.expect("opens");
        stream.write_all(b"x").await.expect("is there");
        stream.read_exact(&mut [0]).await.expect("answers");
        stream.reset(code::stream::PROTOCOL_VIOLATION);
    }
    assert_eq!(server.connections().len(), 1);
}
