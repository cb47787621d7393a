//! Clients that break rules: each gets its own error, blamed on it, and little is read of it.

use sinew_core::{Blame, BoxedIo, Culpable, TransportError};
use sinew_websocket::{
    HandshakeError, MAX_HEAD,
    machine::{BUDGET, FrameError, MAX_FRAME},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::made::{finish, frame_error, handshake_error, stranger};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What a listener makes of a client that says this.
async fn refused(said: &[u8]) -> (TransportError, Vec<u8>) {
    let (incoming, mut stream) = stranger().await;
    let finishing = finish(incoming);
    let talking = async {
        // The other side may be gone before all is said.
        let _ = stream.write_all(said).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    let (finished, answer) = tokio::join!(finishing, talking);
    (finished.expect_err("a websocket"), answer)
}

#[tokio::test]
async fn what_is_not_http_is_refused_at_its_first_bytes() {
    for said in [
        &b"\x13/multistream/1.0.0\n"[..],
        b"\x16\x03\x01",
        b"POST / HTTP/1.1\r\n",
        b"G\0",
        b"GETS",
    ] {
        let (error, answer) = refused(said).await;
        assert!(
            matches!(handshake_error(&error), HandshakeError::NotHttp),
            "{error}"
        );
        assert_eq!(error.blame(), Blame::Peer);
        assert!(answer.is_empty());
    }
}

#[tokio::test]
async fn requests_for_something_else_are_answered_and_refused() {
    let (error, answer) = refused(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(
        matches!(handshake_error(&error), HandshakeError::Http(_)),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Peer);
    assert!(answer.starts_with(b"HTTP/1.1 400 "));
}

#[tokio::test]
async fn endless_headers_are_cut() {
    let line = b"A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n";
    let mut said = b"GET / HTTP/1.1\r\n".to_vec();
    while said.len() <= 10 * MAX_HEAD {
        said.extend_from_slice(line);
    }
    let (error, _) = refused(&said).await;
    assert!(
        matches!(handshake_error(&error), HandshakeError::HeadTooLong),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Peer);
    // Many short ones within the bytes.
    let many = [b"GET / HTTP/1.1\r\n", &b"A:b\r\n".repeat(1_000)[..], b"\r\n"].concat();
    let (error, _) = refused(&many).await;
    assert!(
        matches!(handshake_error(&error), HandshakeError::Http(_)),
        "{error}"
    );
}

#[tokio::test]
async fn an_end_in_the_middle_is_nobodys_fault() {
    let (incoming, mut stream) = stranger().await;
    stream.write_all(&REQUEST[..20]).await.unwrap();
    drop(stream);
    let error = finish(incoming).await.unwrap_err();
    assert!(matches!(error, TransportError::Io(_)), "{error}");
    assert_eq!(error.blame(), Blame::Network);
}

/// A websocket, and the socket of its client.
async fn upgraded() -> (BoxedIo, TcpStream) {
    let (incoming, mut stream) = stranger().await;
    stream.write_all(REQUEST).await.expect("written");
    let io = finish(incoming).await.expect("a websocket").io;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    (io, stream)
}

/// What reading comes to after these frames, and how much content came before.
async fn read(frames: &[u8]) -> (Result<usize, FrameError>, usize) {
    let (mut io, mut stream) = upgraded().await;
    let (mut buffer, mut content) = (vec![0; 4096], 0);
    let writing = async {
        let _ = stream.write_all(frames).await;
        stream
    };
    let reading = async {
        loop {
            match io.read(&mut buffer).await {
                Ok(0) => return Ok(0),
                Ok(read) => content += read,
                Err(error) => {
                    let broken = frame_error(&error);
                    // It stays so.
                    assert_eq!(
                        frame_error(&io.read(&mut buffer).await.expect_err("broken")),
                        broken
                    );
                    drop(io);
                    return Err(broken);
                }
            }
        }
    };
    let (outcome, _stream) = tokio::join!(reading, writing);
    (outcome, content)
}

#[tokio::test]
async fn frames_that_no_client_may_send() {
    let table: [(&[u8], FrameError); 10] = [
        (b"\x82\x03abc", FrameError::Unmasked),
        (b"\x81\x83\0\0\0\0abc", FrameError::Text),
        (b"\xc2\x80\0\0\0\0", FrameError::ReservedBit),
        (b"\x83\x80\0\0\0\0", FrameError::UnknownKind(3)),
        (b"\x80\x80\0\0\0\0", FrameError::NothingToContinue),
        (b"\x02\x81\0\0\0\0a\x82\x81\0\0\0\0b", FrameError::Interleaved),
        (b"\x09\x80\0\0\0\0", FrameError::FragmentedControl),
        (b"\x89\xfe\0\x80", FrameError::LongControl),
        (b"\x88\x81\0\0\0\0a", FrameError::HalfCode),
        (
            b"\x82\xff\0\0\0\0\0\x10\0\x01",
            FrameError::TooLong(MAX_FRAME + 1),
        ),
    ];
    for (frames, error) in table {
        let (outcome, _) = read(frames).await;
        assert_eq!(outcome, Err(error), "{frames:x?}");
        assert_eq!(error.blame(), Blame::Peer);
    }
}

#[tokio::test]
async fn fragments_without_end_and_without_content_are_cut() {
    let mut frames = b"\x02\x80\0\0\0\0".to_vec();
    frames.extend(b"\x00\x80\0\0\0\0".repeat(BUDGET as usize * 2));
    assert_eq!(read(&frames).await, (Err(FrameError::Flood), 0));
}

#[tokio::test]
async fn fragments_with_content_are_content() {
    let mut frames = b"\x02\x81\0\0\0\0a".to_vec();
    frames.extend(b"\x00\x81\0\0\0\0b".repeat(100_000));
    frames.extend(b"\x88\x80\0\0\0\0");
    assert_eq!(read(&frames).await, (Ok(0), 100_001));
}

#[tokio::test]
async fn floods_of_pings_and_pongs_are_cut() {
    for kind in [0x89, 0x8a] {
        let frames = [kind, 0x80, 0, 0, 0, 0].repeat(BUDGET as usize * 2);
        assert_eq!(read(&frames).await, (Err(FrameError::Flood), 0));
    }
}

#[tokio::test]
async fn an_end_inside_a_frame() {
    for frames in [&b"\x82"[..], b"\x82\x82\0\0", b"\x82\x82\0\0\0\0a"] {
        let (mut io, mut stream) = upgraded().await;
        stream.write_all(frames).await.unwrap();
        drop(stream);
        let mut all = Vec::new();
        let error = io.read_to_end(&mut all).await.unwrap_err();
        assert_eq!(frame_error(&error), FrameError::Truncated);
        assert_eq!(FrameError::Truncated.blame(), Blame::Network);
    }
}

#[tokio::test]
async fn what_follows_a_close_frame_is_ignored() {
    assert_eq!(
        read(b"\x82\x81\0\0\0\0a\x88\x82\0\0\0\0\x03\xe8\x82\x81\0\0\0\0b").await,
        (Ok(0), 1)
    );
}
