//! Connections whose only protocol is proposed with the first message of its handshake.

use super::{ONE_WAY, RTT, TIMEOUT, WINDOW, echo, inside, sent};
use crate::pipe::{Pipe, pipe};
use bytes::Bytes;
use sinew_core::{BoxedIo, NegotiationError, ProtocolId};
use sinew_multistream::{accept, propose};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::Instant,
};

const FLIGHT: &[u8] = b"\x13/multistream/1.0.0\n\x08/echo/1\nhello";

fn proposing(io: BoxedIo) -> BoxedIo {
    propose(io, "/echo/1".into(), TIMEOUT).unwrap()
}

/// Greets, and reads the answer of five bytes.
async fn greet(io: &mut BoxedIo) -> io::Result<[u8; 5]> {
    io.write_all(b"hello").await?;
    io.flush().await?;
    let mut answer = [0; 5];
    io.read_exact(&mut answer).await?;
    Ok(answer)
}

/// Agrees, and sends the greeting back.
async fn greeted(mut io: impl sinew_core::ByteStream) -> Result<ProtocolId, NegotiationError> {
    let agreed = accept(&mut io, &echo()[..], TIMEOUT).await?;
    let mut greeting = [0; 5];
    io.read_exact(&mut greeting).await?;
    io.write_all(&greeting).await?;
    Ok(agreed)
}

#[tokio::test(start_paused = true)]
async fn a_greeting_leaves_with_the_proposal_and_is_answered_in_one_round_trip() {
    let (dialer, listener) = pipe(ONE_WAY, WINDOW);
    let (tap, start) = (dialer.tap(), Instant::now());
    let mut ours = proposing(dialer);
    let (answer, agreed) = tokio::join!(greet(&mut ours), greeted(listener));
    assert_eq!((&answer.unwrap(), agreed.unwrap()), (b"hello", "/echo/1".into()));
    assert_eq!(start.elapsed(), RTT);
    assert_eq!(
        sent(&tap, start),
        [(std::time::Duration::ZERO, Bytes::from_static(FLIGHT))]
    );
}

#[tokio::test(start_paused = true)]
async fn who_reads_or_flushes_first_sends_the_proposal_alone() {
    for flush in [false, true] {
        let (dialer, mut listener) = pipe(ONE_WAY, WINDOW);
        let mut ours = proposing(dialer);
        let asking = async {
            if flush {
                ours.flush().await.unwrap();
            }
            ours.read_u8().await.unwrap()
        };
        let answering = async {
            accept(&mut listener, &echo()[..], TIMEOUT).await.unwrap();
            listener.write_all(b"x").await.unwrap();
        };
        assert_eq!(tokio::join!(asking, answering).0, b'x');
    }
}

#[tokio::test(start_paused = true)]
async fn a_greeting_passes_whole_in_pieces() {
    // The answer has to fit; the proposal with the greeting does not.
    for room in [29, 30, 33] {
        let (dialer, listener) = duplex(room);
        let mut ours = proposing(Box::new(dialer));
        let (answer, agreed) = tokio::join!(greet(&mut ours), greeted(listener));
        assert_eq!(&answer.unwrap(), b"hello");
        assert!(agreed.is_ok());
    }
}

/// How a greeting ends at a side that answers so, and then ends if it `leaves`.
async fn against(answer: &'static [u8], leaves: bool) -> io::Error {
    let (dialer, mut listener): (Box<Pipe>, _) = pipe(ONE_WAY, WINDOW);
    let mut ours = proposing(dialer);
    listener.write_all(answer).await.unwrap();
    if leaves {
        listener.shutdown().await.unwrap();
    }
    let error = greet(&mut ours).await.unwrap_err();
    assert!(
        ours.write_all(b"more").await.is_err(),
        "nothing is written after it"
    );
    assert!(ours.read_u8().await.is_err(), "nothing is read after it");
    error
}

#[tokio::test(start_paused = true)]
async fn what_a_negotiation_fails_of_is_told_by_the_read() {
    let refused = against(b"\x13/multistream/1.0.0\n\x03na\n", false).await;
    assert!(matches!(inside(&refused), NegotiationError::Unsupported(names) if names == &echo()));
    let garbage = against(b"SSH-2.0-OpenSSH\r\n", false).await;
    assert!(matches!(inside(&garbage), NegotiationError::Malformed(_)));
    let other = against(b"\x13/multistream/1.0.0\n\x08/echo/2\n", false).await;
    assert!(matches!(inside(&other), NegotiationError::Malformed(_)));
    let ended = against(b"\x13/multistream/1.0.0\n", true).await;
    assert!(matches!(inside(&ended), NegotiationError::Ended));
    let start = Instant::now();
    let silent = against(b"", false).await;
    assert!(matches!(inside(&silent), NegotiationError::Timeout(TIMEOUT)));
    assert_eq!(start.elapsed(), TIMEOUT);
}

#[tokio::test]
async fn a_connection_that_is_gone_fails_the_negotiation() {
    let (dialer, listener) = duplex(64);
    drop(listener);
    let error = greet(&mut proposing(Box::new(dialer))).await.unwrap_err();
    assert!(matches!(inside(&error), NegotiationError::Io(_)));
}

#[test]
fn what_cannot_be_proposed_is_refused_at_once() {
    let (dialer, _) = duplex(64);
    let error = propose(Box::new(dialer), "echo".into(), TIMEOUT).err();
    assert!(matches!(error, Some(NegotiationError::BadName(_))));
}
