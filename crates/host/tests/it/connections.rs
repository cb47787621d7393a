//! The life of connections: idleness, membership, simultaneous dials, shutdown.

use crate::rig::{ask, builder, echo, listening, started};
use sinew_core::{
    CloseReason, ConnectionEvent, DialOptions, Learned, ListenAddrs, ListenEvent, Source, Stream, code,
};
use sinew_host::{StartError, Timeouts};
use sinew_identity::PeerId;
use sinew_peerstore::MemoryPeerstore;
use sinew_runtime::now;
use std::{future::pending, time::Duration};

#[tokio::test(start_paused = true)]
async fn an_unused_connection_is_closed_and_a_used_one_never_is() {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let client = started(builder()).await;
    let handle = client
        .dial(addr.clone(), DialOptions::default())
        .await
        .expect("connects");
    tokio::time::sleep(Timeouts::default().idle * 3).await;
    assert_eq!(
        client.connections().len(),
        0,
        "the server does not know of the handle and closes its unused side"
    );
    drop(handle);
    // With a stream open, both sides use it.
    let handle = client.dial(addr, DialOptions::default()).await.expect("connects");
    let stream = handle.open(["/echo"]).await.expect("opens");
    drop(handle);
    let mut stream = stream;
    stream.write_all(b"x").await.expect("sent");
    stream.flush().await.expect("sent");
    tokio::time::sleep(Timeouts::default().idle * 3).await;
    assert_eq!((client.connections().len(), server.connections().len()), (1, 1));
    stream.finish().await.expect("still there");
    assert_eq!(stream.read_to_end(10).await.expect("answers"), b"x".as_slice());
    drop(stream);
    let closing = now();
    let mut events = client.subscribe::<ConnectionEvent>();
    let ConnectionEvent::Closed(_, reason) = events.next().await.expect("not lagged").expect("alive") else {
        panic!("another event")
    };
    assert!(now() - closing <= Timeouts::default().idle + Timeouts::default().spare);
    let (CloseReason::Local(code) | CloseReason::Remote(code)) = reason else {
        panic!("{reason}")
    };
    assert_eq!(code, code::connection::GARBAGE_COLLECTED);
}

#[tokio::test(start_paused = true)]
async fn protection_on_both_sides_keeps_an_unused_connection() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    client.protect(&peer, "test");
    server.protect(&client.peer_id(), "test");
    tokio::time::sleep(Timeouts::default().idle * 3).await;
    assert_eq!(client.connections().len(), 1);
    client.unprotect(&peer, "test");
    tokio::time::sleep(Timeouts::default().idle * 2).await;
    assert_eq!(client.connections().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn membership_gives_one_snapshot_a_peer_however_slow_its_reader() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let peer = client.connect(addr.clone()).await.expect("connects");
    let mut membership = client.membership();
    let first = membership.next().await.expect("alive");
    assert_eq!(
        (first.peer, first.connections.len()),
        (peer, 1),
        "it begins with who is there"
    );
    for _ in 0..5 {
        let connection = client.connection(&peer).expect("connected");
        client.disconnect(&peer);
        connection.closed().await;
        drop(connection);
        while !client.connections().is_empty() {
            tokio::task::yield_now().await;
        }
        client.connect(addr.clone()).await.expect("connects again");
    }
    let next = membership.next().await.expect("alive");
    assert!(
        next.is_connected() && next.generation > first.generation,
        "{next:?}"
    );
    let nothing = tokio::time::timeout(Duration::from_secs(1), membership.next()).await;
    assert!(nothing.is_err(), "five returns were one snapshot: {nothing:?}");
    server.shutdown(Duration::ZERO).await;
    let gone = membership.next().await.expect("alive");
    assert!(!gone.is_connected());
    client.shutdown(Duration::ZERO).await;
    assert!(membership.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn strangers_who_come_and_go_are_no_news_to_a_slow_follower() {
    let (server, addr) = listening(builder()).await;
    let mut slow = server.membership();
    for _ in 0..5 {
        let client = started(builder()).await;
        client.connect(addr.clone()).await.expect("connects");
        client.shutdown(Duration::ZERO).await;
        while !server.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let mut learned = Learned::default();
    learned.protocols = Some(["/x".into()].into());
    server.learn(&PeerId::random(), learned, Source::Discovery("test"));
    let nothing = tokio::time::timeout(Duration::from_secs(1), slow.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let client = started(builder()).await;
    client.connect(addr).await.expect("connects");
    let news = slow.next().await.expect("alive");
    assert_eq!((news.peer, news.is_connected()), (client.peer_id(), true));
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_host_that_has_ended_learns_it() {
    let host = started(builder()).await;
    let (mut events, mut addrs) = (host.subscribe::<ConnectionEvent>(), host.observe::<ListenAddrs>());
    let mut early = host.membership();
    host.shutdown(Duration::ZERO).await;
    let mut late = host.membership();
    assert!(early.next().await.is_none() && late.next().await.is_none());
    assert!(events.next().await.expect("not lagged").is_none() && addrs.changed().await.is_none());
    assert!(
        host.subscribe::<ListenEvent>()
            .next()
            .await
            .expect("not lagged")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_being_closed_is_given_to_nobody() {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let first = client.connection(&peer).expect("connected");
    assert_eq!(client.disconnect(&peer), 1);
    assert!(client.connection(&peer).is_none(), "it is being closed");
    let stream = client
        .new_stream(&peer, ["/echo"])
        .await
        .expect("a new one is made");
    assert_ne!(stream.connection().id, first.info().id);
    assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
    client
        .connection(&peer)
        .expect("connected")
        .close(code::connection::SHUTDOWN);
    let third = client
        .dial(peer, DialOptions::default())
        .await
        .expect("a new one again");
    third.open(["/echo"]).await.expect("alive");
}

#[tokio::test(start_paused = true)]
async fn no_idle_time_at_all_closes_what_is_unused_and_nothing_else() {
    let mut timeouts = Timeouts::default();
    timeouts.idle = Duration::ZERO;
    let (server, addr) = listening(builder().timeouts(timeouts)).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let client = started(builder().timeouts(timeouts)).await;
    let handle = client.dial(addr, DialOptions::default()).await.expect("connects");
    let mut stream = handle.open(["/echo"]).await.expect("opens");
    stream.write_all(b"x").await.expect("sent");
    stream.flush().await.expect("sent");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(client.connections().len(), 1, "in use");
    drop((stream, handle));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(client.connections().is_empty() && server.connections().is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_dials_at_once_are_both_kept_and_both_sides_use_the_same_one() {
    let (a, addr_a) = listening(builder()).await;
    let (b, addr_b) = listening(builder()).await;
    for host in [&a, &b] {
        host.set_stream_handler("/echo", echo).expect("free");
    }
    let (to_b, to_a) = tokio::join!(
        a.dial((b.peer_id(), vec![addr_b]), DialOptions::default()),
        b.dial((a.peer_id(), vec![addr_a]), DialOptions::default()),
    );
    let (to_b, to_a) = (to_b.expect("connects"), to_a.expect("connects"));
    while a.connections().len() + b.connections().len() < 4 {
        tokio::task::yield_now().await;
    }
    let (of_a, of_b) = (
        a.connection(&b.peer_id()).expect("one"),
        b.connection(&a.peer_id()).expect("one"),
    );
    assert_ne!(
        of_a.info().direction,
        of_b.info().direction,
        "one dialled what the other accepted"
    );
    assert_eq!(
        (of_a.info().id == to_b.info().id, of_b.info().id == to_a.info().id),
        (a.peer_id() < b.peer_id(), b.peer_id() < a.peer_id())
    );
    drop((to_a, to_b));
    let stream = of_a.open(["/echo"]).await.expect("opens");
    assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
    tokio::time::sleep(Timeouts::default().spare * 3).await;
    assert_eq!(
        (a.connections().len(), b.connections().len()),
        (1, 1),
        "the spare one went, the used one stayed"
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_says_goodbye_waits_for_streams_and_leaves_nothing() {
    let (server, addr) = listening(builder()).await;
    let finished = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = finished.clone();
    let slow = move |mut stream: Stream| {
        let told = told.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stream.write_all(b"done").await.expect("in time");
            stream.finish().await.expect("in time");
            told.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    server.set_stream_handler("/slow", slow).expect("free");
    server
        .set_stream_handler("/stuck", |_: Stream| pending())
        .expect("free");
    let client = started(builder()).await;
    let mut events = client.subscribe::<ConnectionEvent>();
    let peer = client.connect(addr.clone()).await.expect("connects");
    let mut slow = client.new_stream(&peer, ["/slow"]).await.expect("opens");
    let mut stuck = client.new_stream(&peer, ["/stuck"]).await.expect("opens");
    for stream in [&mut slow, &mut stuck] {
        stream.flush().await.expect("sent");
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let begun = now();
    server.shutdown(Duration::from_secs(5)).await;
    assert!(
        now() - begun >= Duration::from_secs(5),
        "the stuck handler had its time"
    );
    assert!(finished.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(
        slow.read_to_end(10).await.expect("it was finished"),
        b"done".as_slice()
    );
    let _opened = events.next().await;
    let ConnectionEvent::Closed(_, reason) = events.next().await.expect("not lagged").expect("alive") else {
        panic!("another event")
    };
    assert!(
        matches!(reason, CloseReason::Remote(code) if code == code::connection::SHUTDOWN),
        "{reason}"
    );
    assert!(server.connections().is_empty() && server.listen_addrs().is_empty());
    assert!(client.connect(addr).await.is_err(), "nobody listens any more");
    assert!(
        server.connect(client.peer_id()).await.is_err(),
        "and it dials no more"
    );
    server.shutdown(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn listeners_come_and_go() {
    let host = started(builder()).await;
    let (mut events, mut addrs) = (host.subscribe::<ListenEvent>(), host.observe::<ListenAddrs>());
    let asked = "/memory/0".parse::<sinew_core::Multiaddr>().expect("an address");
    let first = host.listen(asked.clone()).await.expect("listens");
    let second = host.listen(asked.clone()).await.expect("listens too");
    assert_ne!(first, second);
    assert_eq!(addrs.changed().await.expect("alive").0.len(), 2);
    assert!(matches!(events.next().await, Ok(Some(ListenEvent::AddressAdded(addr))) if addr == first[0]));
    assert!(host.stop_listening(&asked) && host.stop_listening(&second[0]) && !host.stop_listening(&asked));
    assert_eq!(addrs.changed().await.expect("alive").0.len(), 0);
    let unknown = "/ip4/127.0.0.1/tcp/0"
        .parse::<sinew_core::Multiaddr>()
        .expect("an address");
    let error = host
        .listen(unknown)
        .await
        .expect_err("there is no such transport");
    assert!(error.to_string().contains("no transport"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_second_peerstore_is_refused_at_the_start() {
    let one = builder().peerstore(MemoryPeerstore::default());
    started(one).await;
    let two = builder()
        .peerstore(MemoryPeerstore::default())
        .peerstore(MemoryPeerstore::default());
    let error = two
        .start()
        .await
        .expect_err("what one has learnt, the other would not know");
    assert!(matches!(error, StartError::SecondPeerstore), "{error}");
}
