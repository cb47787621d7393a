//! Servers that break rules: a dial fails with its own error, blamed on them, and little is read of them.

use sinew_core::{Blame, Culpable, RawConnection, TransportError};
use sinew_socket::tcp_multiaddr;
use sinew_websocket::{HandshakeError, MAX_HEAD, WebSocketTransport, WsAddr, machine::FrameError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tungstenite::handshake::derive_accept_key;

use crate::made::{addr, dial, frame_error, handshake_error};

/// Dials a server that answers with what `answer` makes of the client's key.
async fn dialled(answer: impl Fn(&str) -> Vec<u8>) -> (Result<RawConnection, TransportError>, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let to = tcp_multiaddr(server.local_addr().expect("bound"));
    let to = to.iter().chain(addr("/ws").iter()).collect();
    let serving = async {
        let (mut stream, _) = server.accept().await.expect("a client");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.expect("an answer"));
        }
        let request = String::from_utf8(request).expect("text");
        let key = request
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        // The client may be gone before all is said.
        let _ = stream.write_all(&answer(key.expect("a key"))).await;
        stream
    };
    let transport = WebSocketTransport::new();
    tokio::join!(dial(&transport, &to), serving)
}

fn switching(key: &str) -> Vec<u8> {
    let accept = derive_accept_key(key.as_bytes());
    let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    format!("{head}Sec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn answers_that_are_none() {
    let (refused, _server) = dialled(|_| b"\x13/multistream/1.0.0\n".to_vec()).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(handshake_error(&error), HandshakeError::NotHttp),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Peer);

    let endless = |_: &str| [b"HTTP/1.1 101 S\r\n", &b"A: b\r\n".repeat(MAX_HEAD)[..]].concat();
    let (refused, _server) = dialled(endless).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(handshake_error(&error), HandshakeError::HeadTooLong),
        "{error}"
    );

    let (refused, _server) = dialled(|_| b"HTTP/1.1 503 Busy\r\n\r\n".to_vec()).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(handshake_error(&error), HandshakeError::Status(503)),
        "{error}"
    );

    let (refused, _server) = dialled(|_| switching("dGhlIHNhbXBsZSBub25jZQ==")).await;
    let error = refused.unwrap_err();
    assert!(
        matches!(handshake_error(&error), HandshakeError::Answer(_)),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Peer);
}

#[tokio::test]
async fn a_frame_right_behind_the_answer_is_read() {
    let (connected, _server) = dialled(|key| [&switching(key)[..], b"\x82\x05hello"].concat()).await;
    let mut hello = [0; 5];
    connected.unwrap().io.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
}

#[tokio::test]
async fn frames_that_no_server_may_send() {
    for (frame, expected) in [
        (&b"\x82\x81\0\0\0\0a"[..], FrameError::Masked),
        (b"\x81\x01a", FrameError::Text),
        (b"\x82\x7f\xff\0\0\0\0\0\0\0", FrameError::TooLong(0xff << 56)),
        (b"\x82\x7e\0\x01a", FrameError::Length),
    ] {
        let (connected, _server) = dialled(|key| [&switching(key)[..], frame].concat()).await;
        let error = connected.unwrap().io.read_u8().await.unwrap_err();
        assert_eq!(frame_error(&error), expected);
        assert_eq!(expected.blame(), Blame::Peer);
    }
}

#[tokio::test]
async fn addresses_that_are_not_dialled() {
    for text in [
        "/ip4/0.0.0.0/tcp/1/ws",
        "/ip6/::/tcp/1/wss",
        "/ip4/127.0.0.1/tcp/0/ws",
    ] {
        let addr = addr(text);
        assert!(WsAddr::read(&addr).is_some());
        let refused = dial(&WebSocketTransport::new(), &addr).await;
        assert!(matches!(refused, Err(TransportError::Unsupported(_))), "{text}");
    }
}
