//! Two hosts over memory on a paused clock: pings, and peers that do not answer as they should.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sinew_core::{Culpable, DialOptions, HandlerOptions, Host, PeerId, Stream, StreamReset, code};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_ping::{Config, PROTOCOL, Ping, PingError, SIZE};
use sinew_plaintext::InsecurePlaintext;
use sinew_yamux::Yamux;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(10);

/// A host that answers pings, and the handle by which it asks.
async fn node() -> (Host, Ping) {
    let mut builder = builder();
    let ping = builder.add(Config::default());
    (builder.start().await.unwrap(), ping)
}

fn builder() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .listen("/memory/0".parse().unwrap())
}

/// A host whose only protocol is ping as `serve` understands it.
async fn strange<F, Fut>(serve: F) -> Host
where
    F: Fn(Stream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let host = builder().start().await.unwrap();
    let options = HandlerOptions::default();
    host.set_stream_handler_with(PROTOCOL, options, serve).unwrap();
    host
}

/// A connection that stays: pings alone keep none.
async fn connect(from: &Host, to: &Host) -> PeerId {
    let peer = from.connect(to.listen_addrs().remove(0)).await.unwrap();
    from.protect(&peer, "test");
    to.protect(&from.peer_id(), "test");
    peer
}

fn reset_code(error: &io::Error) -> Option<u32> {
    Some(error.get_ref()?.downcast_ref::<StreamReset>()?.0.0)
}

/// Counts how many streams there are and were.
#[derive(Clone, Default)]
struct Streams {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

impl Streams {
    fn enter(&self) {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.most
            .fetch_max(self.open.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Echoes the first `pings` of each stream and then only reads.
    async fn echo(self, mut stream: Stream, pings: usize) {
        self.enter();
        let mut payload = [0; SIZE];
        for ping in 0.. {
            if stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            if ping < pings && stream.write_all(&payload).await.is_err() {
                break;
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_ping_over_one_connection() {
    let ((left, left_ping), (right, right_ping)) = (node().await, node().await);
    let peer = connect(&left, &right).await;
    let echo = left_ping.ping(peer).await.unwrap();
    assert!(echo < LIMIT);
    let known = left.peerstore().info(&peer, sinew_runtime::now()).unwrap();
    assert_eq!(known.latency, Some(echo), "kept with the peer");
    assert!(right_ping.ping(left.peer_id()).await.unwrap() < LIMIT);
    let connection = left.connection(&peer).unwrap();
    assert!(left_ping.ping_over(&connection).await.unwrap() < LIMIT);
    assert_eq!((left.connections().len(), right.connections().len()), (1, 1));
    left.shutdown(LIMIT).await;
    right.shutdown(LIMIT).await;
}

#[tokio::test(start_paused = true)]
async fn a_series_takes_its_time_and_one_stream() {
    let streams = Streams::default();
    let state = streams.clone();
    let server = strange(move |stream| state.clone().echo(stream, usize::MAX)).await;
    let (client, ping) = node().await;
    let peer = connect(&client, &server).await;
    let (mut pings, start) = (
        ping.pings(peer, Duration::from_secs(60)),
        tokio::time::Instant::now(),
    );
    for _ in 0..10 {
        pings.next().await.unwrap();
    }
    assert_eq!(
        start.elapsed().as_secs(),
        9 * 60,
        "the first at once, then one a minute"
    );
    assert!(
        ping.ping(peer).await.is_ok(),
        "a single one beside it takes the same stream"
    );
    assert_eq!(streams.all.load(Ordering::Relaxed), 1);
    pings.finish().await;
    ping.ping(peer).await.unwrap();
    assert_eq!(
        streams.all.load(Ordering::Relaxed),
        2,
        "the series has ended its stream"
    );
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_there_is_one_stream_at_a_time() {
    let streams = Streams::default();
    let state = streams.clone();
    let server = strange(move |stream| state.clone().echo(stream, usize::MAX)).await;
    let (client, ping) = node().await;
    let peer = connect(&client, &server).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let ping = ping.clone();
        tasks.spawn(async move { ping.ping(peer).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(streams.most.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn after_an_unanswered_ping_comes_a_new_stream_on_the_same_connection() {
    let streams = Streams::default();
    let state = streams.clone();
    let server = strange(move |stream| state.clone().echo(stream, 2)).await;
    let (client, ping) = node().await;
    let peer = connect(&client, &server).await;
    let mut pings = ping.pings(peer, Duration::from_secs(1));
    for round in 1..=3 {
        assert!(pings.next().await.is_ok() && pings.next().await.is_ok());
        let error = pings.next().await.unwrap_err();
        assert!(
            matches!(error, PingError::TimedOut { after: LIMIT, .. }),
            "{error}"
        );
        assert!(error.is_retryable());
        assert_eq!(streams.all.load(Ordering::Relaxed), round);
    }
    assert_eq!(
        client.connections().len(),
        1,
        "the connection is none the worse for it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_series_outlives_streams_that_the_peer_ends_between_pings() {
    let streams = Streams::default();
    let state = streams.clone();
    let server = strange(move |mut stream: Stream| {
        let state = state.clone();
        async move {
            state.enter();
            let mut payload = [0; SIZE];
            for _ in 0..3 {
                let _ = stream.read_exact(&mut payload).await;
                let _ = stream.write_all(&payload).await;
            }
            let _ = stream.finish().await;
        }
    });
    let (server, (client, ping)) = (server.await, node().await);
    let peer = connect(&client, &server).await;
    let mut pings = ping.pings(peer, Duration::from_secs(60));
    for _ in 0..9 {
        pings.next().await.unwrap();
    }
    assert_eq!(streams.all.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_speak_it_or_echoes_nonsense_is_told_apart() {
    let (client, ping) = node().await;
    let silent = builder().start().await.unwrap();
    let peer = connect(&client, &silent).await;
    let error = ping.ping(peer).await.unwrap_err();
    assert!(
        matches!(error, PingError::Unsupported(it) if it == peer),
        "{error}"
    );
    let wrong = strange(|mut stream: Stream| async move {
        // The asker cuts the stream at the first wrong echo.
        let _ = stream.write_all(&[7; SIZE]).await;
        let _ = stream.finish().await;
    });
    let peer = connect(&client, &wrong.await).await;
    assert!(matches!(ping.ping(peer).await, Err(PingError::WrongEcho(it)) if it == peer));
    let gone = Keypair::generate().public().peer_id();
    assert!(matches!(ping.ping(gone).await, Err(PingError::Open(_))));
}

#[tokio::test(start_paused = true)]
async fn a_peer_gets_two_streams_and_idle_ones_are_kept() {
    let ((server, _), (client, _)) = (node().await, node().await);
    connect(&client, &server).await;
    let connection = client
        .dial(server.listen_addrs().remove(0), DialOptions::default())
        .await
        .unwrap();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = connection.open([PROTOCOL]).await.unwrap();
        stream.write_all(&[1; SIZE]).await.unwrap();
        stream.read_exact(&mut [0; SIZE]).await.unwrap();
        streams.push(stream);
    }
    let mut third = connection.open([PROTOCOL]).await.unwrap();
    // The write may be refused as well: the reset is on its way.
    let _ = third.write_all(&[3; SIZE]).await;
    let error = third.read_exact(&mut [0; SIZE]).await.unwrap_err();
    assert_eq!(reset_code(&error), Some(code::stream::RESOURCE_LIMIT.0));
    tokio::time::sleep(Duration::from_secs(600)).await;
    for stream in &mut streams {
        stream.write_all(&[2; SIZE]).await.unwrap();
        stream.read_exact(&mut [0; SIZE]).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_ends_is_answered_with_an_end_and_half_a_ping_with_a_reset() {
    let ((server, _), (client, _)) = (node().await, node().await);
    let connection = client
        .dial(server.listen_addrs().remove(0), DialOptions::default())
        .await
        .unwrap();
    let mut stream = connection.open([PROTOCOL]).await.unwrap();
    stream.write_all(&[1; 3 * SIZE]).await.unwrap();
    stream.finish().await.unwrap();
    assert_eq!(stream.read_to_end(1000).await.unwrap(), [1; 3 * SIZE].as_slice());
    let mut stream = connection.open([PROTOCOL]).await.unwrap();
    stream.write_all(&[1; SIZE + 1]).await.unwrap();
    stream.finish().await.unwrap();
    let error = stream.read_to_end(1000).await.unwrap_err();
    assert_eq!(reset_code(&error), Some(code::stream::PROTOCOL_VIOLATION.0));
}
