//! Strangers who break the rules of WebSocket, while an honest peer goes on with the same node.

#![cfg(all(feature = "noise", feature = "websocket", feature = "yamux"))]

use sinew::{ConnectionEvent, Host, Keypair, Node, Stream, websocket::WsAddr};
use std::{error::Error, io, net::SocketAddr, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream};

type Outcome = Result<(), Box<dyn Error>>;

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What a stranger begins with, what it says then without end, and what the node thinks of it.
const BREACHES: [(&[u8], &[u8], &str); 5] = [
    (&[], &[0x82, 1, 0], "without mask"),
    (
        &[],
        &[0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255],
        "9223372036854775807 bytes",
    ),
    (
        &[0x02, 0x80, 0, 0, 0, 0],
        &[0x00, 0x80, 0, 0, 0, 0],
        "without content",
    ),
    (&[], &[0x89, 0x80, 0, 0, 0, 0], "without content"),
    (&[], &[0x02, 0x81, 0, 0, 0, 0, 0x13], "before the last one ended"),
];

async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Becomes a WebSocket and goes on until the node has had enough.
async fn breach(to: SocketAddr, begin: &[u8], again: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(&[UPGRADE, begin].concat()).await?;
    let many = again.repeat(100);
    while stream.write_all(&many).await.is_ok() {}
    Ok(())
}

/// An honest peer, which asks and is answered.
async fn ask(stream: &mut Stream) -> Outcome {
    let mut answer = [0; 1000];
    stream.write_all(&[7; 1000]).await?;
    stream.flush().await?;
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, [7; 1000]);
    Ok(())
}

async fn asking(server: &Host) -> Result<(Host, Stream), Box<dyn Error>> {
    let client = Node::builder(Keypair::generate()).start().await?;
    let peer = client.connect(server.listen_addrs()).await?;
    let mut stream = client.new_stream(&peer, ["/echo/1.0.0"]).await?;
    ask(&mut stream).await?;
    Ok((client, stream))
}

#[tokio::test]
async fn breaches_are_named_and_cut_while_an_honest_peer_is_served() -> Outcome {
    let server = Node::builder(Keypair::generate()).listen("/ip4/127.0.0.1/tcp/0/ws")?;
    let server = server.start().await?;
    server.set_stream_handler("/echo/1.0.0", echo)?;
    let to = WsAddr::read(&server.listen_addrs()[0])
        .ok_or("a websocket")?
        .socket;
    let (honest, mut stream) = asking(&server).await?;
    let mut events = server.subscribe::<ConnectionEvent>();
    let strangers = async {
        for (begin, again, named) in BREACHES.into_iter().cycle().take(40) {
            breach(to, begin, again).await?;
            match events.next().await?.ok_or("alive")? {
                ConnectionEvent::InboundFailed { error, .. } => {
                    assert!(error.to_string().contains(named), "{error}: {named}");
                }
                other => return Err(format!("{other:?}").into()),
            }
        }
        Outcome::Ok(())
    };
    let mut asked = 0;
    let goes_on = async {
        loop {
            ask(&mut stream).await?;
            asked += 1;
        }
    };
    let end: Outcome = tokio::select! {
        end = goes_on => end,
        end = strangers => end,
    };
    end?;
    assert!(asked > 0);
    assert_eq!(server.connections().len(), 1, "the honest one");
    let (newcomer, _stream) = asking(&server).await?;
    for host in [newcomer, honest, server] {
        host.shutdown(Duration::ZERO).await;
    }
    Ok(())
}
