//! Peers that are silent, slow, endless or wrong.

use super::{ONE_WAY, Pipe, TIMEOUT, WINDOW, echo, inside, lazy, pipe};
use sinew_core::{NegotiationError, code};
use sinew_multistream::{accept, select, serve};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

const HEADER: &[u8] = b"\x13/multistream/1.0.0\n";

/// Serves `/echo/1` to a dialler that says `bytes` over and over; how it ended, and after how many bytes.
async fn serve_to(bytes: &[u8], times: usize) -> (NegotiationError, usize) {
    let (mut dialer, listener) = pipe(Duration::ZERO, WINDOW);
    let (tap, offer) = (listener.tap(), echo());
    let said = [HEADER, &bytes.repeat(times)].concat();
    let say = async {
        dialer.write_all(&said).await.unwrap();
        std::future::pending::<()>().await;
    };
    let error = tokio::select! {
        served = serve(listener, &offer[..], TIMEOUT) => served.err().expect("it is not agreed on"),
        () = say => unreachable!(),
    };
    assert!(tap.reset().is_some(), "the stream is reset");
    (error, tap.pieces().iter().map(|(_, piece)| piece.len()).sum())
}

#[tokio::test(start_paused = true)]
async fn endless_negotiations_are_cut() {
    let (error, _) = serve_to(b"\x06/nope\n", 1000).await;
    assert!(matches!(error, NegotiationError::TooLong(_)), "{error}");
    let (error, said) = serve_to(b"\x03ls\n", 1000).await;
    assert!(matches!(error, NegotiationError::TooLong(_)), "{error}");
    assert!(said <= 24 * 1024);
    let (error, said) = serve_to(b"garbage", 20).await;
    assert!(matches!(error, NegotiationError::Malformed(_)), "{error}");
    assert!(said <= HEADER.len());
}

#[tokio::test(start_paused = true)]
async fn slow_and_silent_peers_are_cut_when_the_time_is_up() {
    for silent in [true, false] {
        let (mut dialer, listener) = pipe(ONE_WAY, WINDOW);
        let (offer, start) = (echo(), Instant::now());
        let drip = async {
            for byte in HEADER.iter().filter(|_| !silent) {
                dialer.write_all(&[*byte]).await.unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            std::future::pending::<()>().await;
        };
        let served = tokio::select! {
            served = serve(listener, &offer[..], TIMEOUT) => served,
            () = drip => unreachable!(),
        };
        assert!(matches!(served.err(), Some(NegotiationError::Timeout(TIMEOUT))));
        assert_eq!(start.elapsed(), TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_never_answers_fails_the_read() {
    let (dialer, _listener) = pipe(ONE_WAY, WINDOW);
    let (tap, start) = (dialer.tap(), Instant::now());
    let mut stream = lazy(dialer);
    tokio::time::sleep(Duration::from_secs(60)).await;
    stream.write_all(b"ask").await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(matches!(inside(&error), NegotiationError::Timeout(TIMEOUT)));
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(70),
        "counted from the proposal on"
    );
    assert_eq!(tap.reset(), Some(code::stream::NEGOTIATION_FAILED));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_ends_or_talks_nonsense_fails_the_read() {
    for (answer, kind) in [
        (&b""[..], io::ErrorKind::UnexpectedEof),
        (HEADER, io::ErrorKind::UnexpectedEof),
        (b"HTTP/1.1 400 Bad Request\r\n", io::ErrorKind::InvalidData),
        (
            b"\x13/multistream/1.0.0\n\x08/echo/2\n",
            io::ErrorKind::InvalidData,
        ),
    ] {
        let (dialer, mut listener) = pipe(ONE_WAY, WINDOW);
        let mut stream = lazy(dialer);
        stream.write_all(b"ask").await.unwrap();
        listener.write_all(answer).await.unwrap();
        listener.shutdown().await.unwrap();
        assert_eq!(
            stream.read_u8().await.unwrap_err().kind(),
            kind,
            "{}",
            answer.escape_ascii()
        );
    }
}

#[tokio::test]
async fn nothing_behind_a_negotiation_is_read() {
    let (mut dialer, mut listener) = tokio::io::duplex(1024);
    let (offer, names) = (echo(), vec!["/nope/1".into(), "/echo/1".into()]);
    let dial = async {
        let selected = select(&mut dialer, names, TIMEOUT).await.unwrap();
        dialer.write_all(b"behind").await.unwrap();
        let mut back = [0; 6];
        dialer.read_exact(&mut back).await.unwrap();
        (selected, back)
    };
    let listen = async {
        let accepted = accept(&mut listener, &offer[..], TIMEOUT).await.unwrap();
        let mut heard = [0; 6];
        listener.read_exact(&mut heard).await.unwrap();
        listener.write_all(&heard).await.unwrap();
        (accepted, heard)
    };
    assert_eq!(
        tokio::join!(dial, listen),
        (("/echo/1".into(), *b"behind"), ("/echo/1".into(), *b"behind"))
    );
}

#[tokio::test]
async fn a_peer_that_sends_everything_at_once_is_read_no_further_than_its_proposal() {
    let (mut dialer, mut listener) = tokio::io::duplex(1024);
    let offer = echo();
    dialer
        .write_all(&[HEADER, b"\x06/nope\n\x08/echo/1\nbehind"].concat())
        .await
        .unwrap();
    assert_eq!(
        accept(&mut listener, &offer[..], TIMEOUT).await.unwrap(),
        "/echo/1"
    );
    let mut behind = [0; 6];
    listener.read_exact(&mut behind).await.unwrap();
    assert_eq!(&behind, b"behind");
    let mut answers = [0; 33];
    dialer.read_exact(&mut answers).await.unwrap();
    assert_eq!(answers, *[HEADER, b"\x03na\n\x08/echo/1\n"].concat());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_a_reset_took_away_is_a_refusal_still() {
    let (dialer, mut listener) = pipe(ONE_WAY, WINDOW);
    let mut stream = lazy(dialer);
    stream.write_all(b"ask").await.unwrap();
    sinew_core::MuxedStream::reset(&mut *listener, code::stream::NEGOTIATION_FAILED);
    for error in [
        stream.write_all(b"more").await.unwrap_err(),
        stream.read_u8().await.unwrap_err(),
        stream.shutdown().await.unwrap_err(),
    ] {
        assert!(matches!(inside(&error), NegotiationError::Unsupported(names) if names == &echo()));
    }
}

#[tokio::test(start_paused = true)]
async fn data_behind_a_refused_proposal_is_no_violation() {
    for data in [
        &[0; 1000],
        &[b'/'; 1000],
        &[b'\n'; 1000],
        &[0x80; 1000],
        &[0xff; 1000],
    ] {
        let (mut dialer, listener) = pipe(ONE_WAY, WINDOW);
        let (tap, offer) = (listener.tap(), echo());
        dialer
            .write_all(&[HEADER, b"\x06/nope\n", data].concat())
            .await
            .unwrap();
        let served = serve(listener, &offer[..], TIMEOUT).await;
        let error = served.err().unwrap();
        assert!(
            matches!(&error, NegotiationError::Unsupported(names) if names == &["/nope"]),
            "{error}"
        );
        assert_eq!(tap.reset(), Some(code::stream::NEGOTIATION_FAILED));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_while_negotiating_is_told_as_such() {
    let (dialer, mut listener): (Box<Pipe>, Box<Pipe>) = pipe(ONE_WAY, WINDOW);
    let mut stream = lazy(dialer);
    stream.write_all(b"ask").await.unwrap();
    sinew_core::MuxedStream::reset(&mut *listener, code::stream::RESOURCE_LIMIT);
    let error = stream.read_u8().await.unwrap_err();
    let reset = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<sinew_core::StreamReset>());
    assert_eq!(reset.map(|reset| reset.0), Some(code::stream::RESOURCE_LIMIT));
}
