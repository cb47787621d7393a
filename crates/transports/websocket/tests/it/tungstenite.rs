//! An independent implementation of WebSocket at the other end, as client and as server.

use futures_util::{SinkExt, StreamExt};
use sinew_core::BoxedIo;
use sinew_socket::tcp_multiaddr;
use sinew_websocket::{WebSocketTransport, WsAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};
use tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::made::{accept, addr, dial, ends, listen};

type Theirs = WebSocketStream<TcpStream>;

/// Our listener, their client.
async fn their_client() -> (BoxedIo, Theirs) {
    let (mut listener, there) = listen(&WebSocketTransport::new(), "/ip4/127.0.0.1/tcp/0/ws").await;
    let to = WsAddr::read(&there).expect("an address of ours").socket;
    let connecting = async {
        let stream = TcpStream::connect(to).await.expect("connected");
        client_async(format!("ws://{to}/"), stream)
            .await
            .expect("it works")
            .0
    };
    let (ours, theirs) = tokio::join!(accept(&mut *listener), connecting);
    (ours.expect("connected").io, theirs)
}

/// Our dialler, their server.
async fn their_server() -> (BoxedIo, Theirs) {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let to = tcp_multiaddr(server.local_addr().expect("bound"));
    let to = to.iter().chain(addr("/ws").iter()).collect();
    let serving = async {
        accept_async(server.accept().await.expect("a client").0)
            .await
            .expect("a client")
    };
    let transport = WebSocketTransport::new();
    let (ours, theirs) = tokio::join!(dial(&transport, &to), serving);
    (ours.expect("connected").io, theirs)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

#[tokio::test]
async fn bytes_in_both_directions() {
    for (mut ours, mut theirs) in [their_client().await, their_server().await] {
        for length in [1, 125, 126, 65_535, 65_536, 65_537, 1_000_000] {
            let sent = bytes(length);
            let echoing = async {
                let mut left = length;
                while left > 0 {
                    let message = theirs.next().await.unwrap().unwrap();
                    assert!(message.is_binary());
                    left -= message.len();
                    theirs.send(message).await.unwrap();
                }
            };
            let mut received = vec![0; length];
            let (mut reading, mut writing) = tokio::io::split(&mut ours);
            let talking = async {
                writing.write_all(&sent).await.unwrap();
                writing.flush().await.unwrap();
            };
            let (_, (), read) = tokio::join!(echoing, talking, reading.read_exact(&mut received));
            assert_eq!(read.unwrap(), length);
            assert!(received == sent, "{length} bytes");
        }
    }
}

#[tokio::test]
async fn fragments_with_a_ping_between_them() {
    for (mut ours, mut theirs) in [their_client().await, their_server().await] {
        let fragment =
            |text: &'static str, kind, last| Message::Frame(Frame::message(text, OpCode::Data(kind), last));
        theirs
            .feed(fragment("first ", Data::Binary, false))
            .await
            .unwrap();
        theirs.feed(Message::Ping("are you there?".into())).await.unwrap();
        theirs
            .feed(fragment("second", Data::Continue, true))
            .await
            .unwrap();
        theirs.flush().await.unwrap();
        let mut text = [0; 12];
        ours.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"first second");
        // Nothing was written by us, and the ping is answered all the same.
        let pong = theirs.next().await.unwrap().unwrap();
        assert_eq!(pong, Message::Pong("are you there?".into()));
    }
}

#[tokio::test]
async fn a_ping_while_a_reader_waits_is_answered() {
    for (mut ours, mut theirs) in [their_client().await, their_server().await] {
        let asking = async {
            theirs.send(Message::Ping("now?".into())).await.unwrap();
            assert_eq!(
                theirs.next().await.unwrap().unwrap(),
                Message::Pong("now?".into())
            );
            theirs.send(Message::binary("done")).await.unwrap();
        };
        let mut done = [0; 4];
        let ((), read) = tokio::join!(asking, ours.read_exact(&mut done));
        read.unwrap();
        assert_eq!(&done, b"done");
    }
}

#[tokio::test]
async fn a_close_frame_is_the_end_both_ways() {
    for (mut ours, mut theirs) in [their_client().await, their_server().await] {
        theirs.send(Message::binary("last")).await.unwrap();
        theirs.send(Message::Close(None)).await.unwrap();
        let mut last = [0; 4];
        ours.read_exact(&mut last).await.unwrap();
        assert!(ends(&mut ours).await);
        ours.shutdown().await.unwrap();
        assert!(matches!(theirs.next().await, Some(Ok(Message::Close(_)))));
    }
    for (mut ours, mut theirs) in [their_client().await, their_server().await] {
        ours.write_all(b"last").await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(theirs.next().await.unwrap().unwrap(), Message::binary("last"));
        assert!(matches!(theirs.next().await, Some(Ok(Message::Close(_)))));
        // Their answer to it.
        let _ = theirs.flush().await;
        assert!(ends(&mut ours).await);
    }
}

/// What is written goes out without a flush, as long as the socket takes it.
#[tokio::test]
async fn what_is_written_does_not_wait_for_more() {
    for (mut ours, mut theirs) in [their_client().await, their_server().await] {
        ours.write_all(b"now").await.unwrap();
        assert_eq!(theirs.next().await.unwrap().unwrap(), Message::binary("now"));
    }
}
