//! Two hosts over memory: measurements, both dialects, and sides that stop.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use sinew_core::{Connection, DialOptions, Host, PeerId, Stream, StreamReset, code};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_perf::{Amount, Config, Live, PROTOCOL, Perf, PerfError, Request};
use sinew_plaintext::InsecurePlaintext;
use sinew_yamux::Yamux;
use std::{io, sync::Arc, time::Duration};
use tokio::time::Instant;

fn builder() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .listen("/memory/0".parse().unwrap())
}

async fn server(config: Config) -> Host {
    let mut builder = builder();
    builder.add(config);
    builder.start().await.unwrap()
}

/// A client and its connection to `server`.
async fn client(server: &Host) -> (Host, Connection, Perf) {
    let host = builder().start().await.unwrap();
    let connection = host
        .dial(server.listen_addrs().remove(0), DialOptions::default())
        .await
        .unwrap();
    let perf = Perf::new(host.clone());
    (host, connection, perf)
}

fn both(upload: u64, download: u64) -> Request {
    Request::default()
        .upload(Amount::Bytes(upload))
        .download(Amount::Bytes(download))
}

/// What a server answers to `said`, whose sender ends its side if told so; and when.
async fn answer(connection: &Connection, said: &[u8], finish: bool) -> io::Result<(usize, Duration)> {
    let (mut stream, start) = (connection.open([PROTOCOL]).await.unwrap(), Instant::now());
    stream.write_all(said).await?;
    if finish {
        stream.finish().await?;
    }
    let answer = stream.read_to_end(1 << 20).await?;
    Ok((answer.len(), start.elapsed()))
}

fn numbers(numbers: &[u64], upload: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
    bytes.resize(bytes.len() + upload, 0);
    bytes
}

fn reset_code(error: &io::Error) -> Option<u32> {
    Some(error.get_ref()?.downcast_ref::<StreamReset>()?.0.0)
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_moved_and_counted() {
    let server = server(Config::default()).await;
    let (_host, connection, perf) = client(&server).await;
    for (upload, download) in [
        (0, 0),
        (1, 1),
        (0, 3_000_000),
        (3_000_000, 0),
        (1_000_000, 700_000),
    ] {
        let mut last = Live::default();
        let report = perf
            .run(server.peer_id(), both(upload, download), |live| last = live)
            .await
            .unwrap();
        assert_eq!((report.upload.bytes, report.download.bytes), (upload, download));
        assert_eq!(
            (last.uploaded, last.downloaded),
            (upload, download),
            "the last word is the whole"
        );
    }
    let report = perf.run_over(&connection, both(10, 20), |_| {}).await.unwrap();
    assert_eq!((report.upload.bytes, report.download.bytes), (10, 20));
}

#[tokio::test]
async fn a_measurement_for_a_time_ends_when_it_is_over() {
    let server = server(Config::default()).await;
    let (_host, _connection, perf) = client(&server).await;
    let time = Duration::from_millis(30);
    for request in [
        Request::default().upload(Amount::For(time)),
        Request::default().download(Amount::For(time)),
    ] {
        let report = perf.run(server.peer_id(), request, |_| {}).await.unwrap();
        assert!(report.total >= time);
        assert!(report.upload.bytes + report.download.bytes > 0);
    }
    server.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn both_dialects_are_served() {
    let server = server(Config::default()).await;
    let (_host, connection, _perf) = client(&server).await;
    for (said, finish, wanted, within) in [
        (numbers(&[1000], 0), true, 1000, 0),
        (numbers(&[1000], 5000), true, 1000, 0),
        (numbers(&[5000, 1000], 5000), true, 1000, 0),
        (numbers(&[5000, 1000], 5000), false, 1000, 1),
        (numbers(&[0, 1000], 0), false, 1000, 1),
    ] {
        let (answered, after) = answer(&connection, &said, finish).await.unwrap();
        assert_eq!((answered, after.as_secs()), (wanted, within));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_too_little_or_stops_is_cut() {
    let server = server(Config::default()).await;
    let (_host, connection, _perf) = client(&server).await;
    let error = answer(&connection, &[0; 7], true).await.unwrap_err();
    assert_eq!(reset_code(&error), Some(code::stream::PROTOCOL_VIOLATION.0));
    let start = Instant::now();
    let error = answer(&connection, &[0; 7], false).await.unwrap_err();
    assert_eq!(reset_code(&error), Some(code::stream::GARBAGE_COLLECTED.0));
    assert_eq!(start.elapsed().as_secs(), 30);
    // Wants everything and reads nothing: the window is full at once, and the server does not wait for ever.
    let mut stream = connection.open([PROTOCOL]).await.unwrap();
    stream.write_all(&u64::MAX.to_be_bytes()).await.unwrap();
    stream.finish().await.unwrap();
    let start = Instant::now();
    assert_eq!(stream.reset_by_peer().await, code::stream::GARBAGE_COLLECTED);
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_breaks_its_word_or_stops_is_told_as_such() {
    let strange = builder().start().await.unwrap();
    let serve = |mut stream: Stream| async move {
        let _ = stream.read_to_end(1 << 20).await;
        let _ = stream.write_all(&[0; 10]).await;
        let _ = stream.finish().await;
    };
    strange.set_stream_handler(PROTOCOL, serve).unwrap();
    let (_host, _connection, perf) = client(&strange).await;
    let peer = strange.peer_id();
    for wanted in [9, 11] {
        let error = perf.run(peer, both(0, wanted), |_| {}).await.unwrap_err();
        assert!(matches!(error, PerfError::WrongLength { got: 10, .. }), "{error}");
    }
    strange.remove_stream_handler(PROTOCOL);
    let refused = perf.run(peer, both(10 << 20, 0), |_| {}).await;
    assert!(
        matches!(refused, Err(PerfError::Unsupported(it)) if it == peer),
        "{refused:?}"
    );
    let hold = |stream: Stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    };
    strange.set_stream_handler(PROTOCOL, hold).unwrap();
    let error = perf.run(peer, both(1, 1), |_| {}).await.unwrap_err();
    assert!(matches!(error, PerfError::Stalled { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn who_is_not_allowed_is_refused() {
    let stranger: PeerId = Keypair::generate().public().peer_id();
    let server = server(Config::default().only_for([stranger])).await;
    let (_host, _connection, perf) = client(&server).await;
    let error = perf.run(server.peer_id(), both(0, 10), |_| {}).await.unwrap_err();
    assert!(matches!(error, PerfError::Stream { .. }), "{error}");
}
