//! Streams over a latency on a paused clock: what leaves when, and what peers that mean harm come to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connections;
mod hostile;
mod pipe;

use bytes::Bytes;
use pipe::{Pipe, Tap, pipe};
use sinew_core::{CloseCode, MuxedStream, NegotiationError, OpenOptions, ProtocolId};
use sinew_multistream::{LazyStream, Negotiated, list, open, serve};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, sleep},
};

const ONE_WAY: Duration = Duration::from_millis(50);
const RTT: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(10);
const WINDOW: usize = 256 * 1024;
const FIRST_FLIGHT: &[u8] = b"\x13/multistream/1.0.0\n\x08/echo/1\nask";

fn echo() -> Vec<ProtocolId> {
    vec!["/echo/1".into()]
}

fn lazy(stream: Box<Pipe>) -> LazyStream {
    LazyStream::new(stream, "/echo/1".into(), TIMEOUT).unwrap()
}

/// The error of the negotiation inside the error of a stream.
fn inside(error: &io::Error) -> &NegotiationError {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .expect("a negotiation failed")
}

/// Answers `offer`, reads one request of three bytes and answers it.
async fn answer(stream: Box<Pipe>, offer: Vec<ProtocolId>) -> Result<Negotiated, NegotiationError> {
    let (protocol, mut stream) = serve(stream, &offer[..], TIMEOUT).await?;
    let mut request = [0; 3];
    stream.read_exact(&mut request).await?;
    stream.write_all(b"answer").await?;
    stream.shutdown().await?;
    Ok((protocol, stream))
}

/// What was written, and how long after `start`.
fn sent(tap: &Tap, start: Instant) -> Vec<(Duration, Bytes)> {
    tap.pieces()
        .into_iter()
        .map(|(at, piece)| (at - start, piece))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_lazy_request_is_answered_in_one_round_trip() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let (asked, answered, start) = (dialer.tap(), listener.tap(), Instant::now());
    let ask = async {
        let (protocol, mut stream) = open(dialer, echo(), &OpenOptions::default()).await.unwrap();
        stream.write_all(b"ask").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (protocol, answer, start.elapsed())
    };
    let (asker, answerer) = tokio::join!(ask, answer(listener, echo()));
    assert_eq!(asker, ("/echo/1".into(), "answer".to_owned(), RTT));
    assert_eq!(answerer.unwrap().0, "/echo/1");
    assert_eq!(
        sent(&asked, start),
        [(Duration::ZERO, Bytes::from_static(FIRST_FLIGHT))]
    );
    let header = Bytes::from_static(b"\x13/multistream/1.0.0\n\x08/echo/1\n");
    assert_eq!(
        sent(&answered, start)[0],
        (ONE_WAY, header),
        "header and protocol in one write"
    );
}

#[tokio::test(start_paused = true)]
async fn each_refused_protocol_costs_one_round_trip() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let (asked, start) = (dialer.tap(), Instant::now());
    let ask = async {
        let names = ["/echo/3", "/echo/2", "/echo/1"].map(ProtocolId::from).to_vec();
        let (protocol, mut stream) = open(dialer, names, &OpenOptions::default()).await.unwrap();
        let agreed = start.elapsed();
        stream.write_all(b"ask").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        (protocol, agreed)
    };
    let (asker, answerer) = tokio::join!(ask, answer(listener, echo()));
    assert_eq!(asker, ("/echo/1".into(), 3 * RTT));
    assert!(answerer.is_ok());
    assert_eq!(
        sent(&asked, start).len(),
        4,
        "header and first proposal, two proposals, the request"
    );
}

#[tokio::test(start_paused = true)]
async fn eager_opening_waits_and_tells_of_a_refusal() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let tap = dialer.tap();
    let offer = echo();
    let options = OpenOptions::default().eager();
    let (opened, served) = tokio::join!(
        open(dialer, vec!["/other/1".into()], &options),
        serve(listener, &offer[..], TIMEOUT)
    );
    assert!(matches!(opened.err(), Some(NegotiationError::Unsupported(names)) if names == ["/other/1"]));
    assert!(
        matches!(served.err(), Some(NegotiationError::Io(_))),
        "the dialler has left"
    );
    assert_eq!(tap.reset(), Some(sinew_core::code::stream::NEGOTIATION_FAILED));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_shows_with_its_type_wherever_the_stream_is_used() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let offer = [ProtocolId::from("/other/1")];
    let mut stream = lazy(dialer);
    let ask = async {
        stream.write_all(b"ask").await.unwrap();
        let read = stream.read_u8().await.unwrap_err();
        assert_eq!(read.kind(), io::ErrorKind::Unsupported);
        let write = stream.write_all(b"more").await.unwrap_err();
        let end = stream.shutdown().await.unwrap_err();
        for error in [read, write, end] {
            assert!(matches!(inside(&error), NegotiationError::Unsupported(names) if names == &echo()));
        }
    };
    let (_, served) = tokio::join!(ask, serve(listener, &offer[..], TIMEOUT));
    assert!(served.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_only_writes_hears_of_a_refusal_too() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let offer = [ProtocolId::from("/other/1")];
    let mut stream = lazy(dialer);
    let write = async {
        loop {
            if let Err(error) = stream.write_all(b"and on").await {
                return error;
            }
            tokio::time::sleep(ONE_WAY).await;
        }
    };
    let (error, _) = tokio::join!(write, serve(listener, &offer[..], TIMEOUT));
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn what_takes_the_proposal_along_looks_for_no_answer() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let (answers, mut stream) = (listener.tap(), lazy(dialer));
    stream.write_all(b"ask").await.unwrap();
    assert_eq!(answers.asked(), 0, "there can be none yet");
    stream.write_all(b"more").await.unwrap();
    assert_eq!(answers.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flush_and_a_read_send_the_proposal_alone() {
    for flush in [true, false] {
        let (dialer, listener) = pipe(ONE_WAY, WINDOW);
        let (asked, start) = (dialer.tap(), Instant::now());
        let mut stream = lazy(dialer);
        let offer = echo();
        let ask = async {
            if flush {
                stream.flush().await.unwrap();
            } else {
                assert_eq!(stream.read_u8().await.unwrap(), b'!');
            }
        };
        let greet = async {
            let (_, mut stream) = serve(listener, &offer[..], TIMEOUT).await.unwrap();
            stream.write_all(b"!").await.unwrap();
            stream
        };
        let ((), _stream) = tokio::join!(ask, greet);
        let proposal = Bytes::from_static(&FIRST_FLIGHT[..FIRST_FLIGHT.len() - 3]);
        assert_eq!(sent(&asked, start), [(Duration::ZERO, proposal)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_the_answer_unless_told_otherwise() {
    for (options, end) in [
        (OpenOptions::default(), RTT),
        (OpenOptions::default().finish_early(), Duration::ZERO),
    ] {
        let (dialer, listener) = pipe(ONE_WAY, WINDOW);
        let (asked, start) = (dialer.tap(), Instant::now());
        let ask = async {
            let (_, mut stream) = open(dialer, echo(), &options).await.unwrap();
            stream.write_all(b"ask").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            (answer, start.elapsed())
        };
        let (asker, _answerer) = tokio::join!(ask, answer(listener, echo()));
        assert_eq!(asker, ("answer".to_owned(), RTT), "it costs the asker nothing");
        assert_eq!(sent(&asked, start)[1], (end, Bytes::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn two_tasks_that_wait_for_one_answer_are_both_woken() {
    for window in [1, WINDOW] {
        let (dialer, listener) = pipe(ONE_WAY, window);
        let (mut reader, mut writer) = tokio::io::split(lazy(dialer));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let mut answer = String::new();
            reader.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "answer");
        });
        tasks.spawn(async move {
            writer.write_all(b"ask").await.unwrap();
            writer.shutdown().await.unwrap();
        });
        tasks.spawn(async move { drop(answer(listener, echo()).await.unwrap()) });
        let all = tokio::time::timeout(Duration::from_secs(60), tasks.join_all());
        all.await.expect("no task is forgotten");
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_and_bytes_arrive_in_order_through_any_window() {
    let data: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    for window in [1, 2, 19, 40, 1000, WINDOW] {
        for chunks in [true, false] {
            let (dialer, listener) = pipe(Duration::ZERO, window);
            let (mut stream, offer, data) = (lazy(dialer), echo(), &data[..window.min(1000) * 100]);
            let send = async {
                let mut chunk = Bytes::copy_from_slice(data);
                while chunks && !chunk.is_empty() {
                    poll_fn(|cx| stream.poll_write_chunk(cx, &mut chunk))
                        .await
                        .unwrap();
                }
                stream.write_all(if chunks { &[] } else { data }).await.unwrap();
                stream.shutdown().await.unwrap();
            };
            let receive = async {
                let (_, mut stream) = serve(listener, &offer[..], TIMEOUT).await.unwrap();
                let mut received = Vec::new();
                stream.read_to_end(&mut received).await.unwrap();
                received
            };
            let ((), received) = tokio::join!(send, receive);
            assert!(received == data, "window {window}, chunks {chunks}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_refuses_input_still_ends() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let (mut stream, offer) = (lazy(dialer), echo());
    stream.stop(CloseCode::NONE);
    let write = async {
        stream.write_all(b"note").await.unwrap();
        stream.shutdown().await.unwrap();
    };
    let ((), served) = tokio::join!(write, serve(listener, &offer[..], TIMEOUT));
    let mut note = String::new();
    served.unwrap().1.read_to_string(&mut note).await.unwrap();
    assert_eq!(note, "note");
}

#[tokio::test(start_paused = true)]
async fn both_ends_may_propose_the_same_at_once() {
    let (left, right) = pipe(ONE_WAY, WINDOW);
    let talk = |stream, word: &'static [u8; 4]| async move {
        let mut stream = lazy(stream);
        stream.write_all(word).await.unwrap();
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await.unwrap();
        heard
    };
    let heard = tokio::join!(talk(left, b"left"), talk(right, b"righ"));
    assert_eq!(
        heard,
        (*b"righ", *b"left"),
        "as go-libp2p does between two lazy ends"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_asked_for_and_answered_in_one_round_trip() {
    let (mut dialer, listener) = pipe(ONE_WAY, WINDOW);
    let (offer, start) = (echo(), Instant::now());
    tokio::select! {
        listed = list(&mut *dialer, TIMEOUT) => assert_eq!(listed.unwrap(), Some(echo())),
        _ = serve(listener, &offer[..], TIMEOUT) => unreachable!("no protocol is proposed"),
    }
    assert_eq!(start.elapsed(), RTT);
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request by two tasks, one that writes it and one that reads the answer: how often either is woken until it is read.
async fn woken(ended: bool) -> [usize; 2] {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let mut stream = lazy(dialer);
    let tasks = [Arc::new(Woken::default()), Arc::new(Woken::default())];
    let wakers = tasks.clone().map(Waker::from);
    let [mut writes, mut reads] = wakers.each_ref().map(Context::from_waker);
    assert!(Pin::new(&mut stream).poll_write(&mut writes, b"ask").is_ready());
    if ended {
        assert!(Pin::new(&mut stream).poll_shutdown(&mut writes).is_pending());
    }
    assert!(stream.poll_chunk(&mut reads, 10).is_pending());
    answer(listener, echo()).await.unwrap();
    sleep(RTT).await;
    let polled = stream.poll_chunk(&mut reads, 10);
    assert!(matches!(polled, Poll::Ready(Ok(Some(chunk))) if chunk == "answer"));
    tasks.map(|task| task.0.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn an_answer_wakes_who_waits_for_it_and_once() {
    assert_eq!(woken(true).await, [1, 1]);
    assert_eq!(woken(false).await, [0, 1], "what was written needs no answer");
}
