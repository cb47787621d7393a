//! Whole nodes over TCP, Noise and yamux: strangers who say nothing or are somebody else, and what is left of many.

#![cfg(all(feature = "tcp", feature = "noise", feature = "tls", feature = "yamux"))]

use sinew::{
    AttemptError, ConnectionEvent, DialError, Host, Keypair, Limits, Multiaddr, NegotiationError, Node,
    PeerId, Stream,
    addr::join_peer,
    noise::Noise,
    sinew_core::{Layer, UpgradeError},
    tls::Tls,
    yamux::Yamux,
};
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use std::{error::Error, net::SocketAddr, time::Duration};
use tokio::net::{TcpSocket, TcpStream};

type Outcome = Result<(), Box<dyn Error>>;

async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    // The peer may have gone: then there is nobody to tell.
    let _ = stream.finish().await;
}

async fn serving(limits: Limits) -> Result<(Host, Multiaddr), Box<dyn Error>> {
    let server = Node::builder(Keypair::generate())
        .limits(limits)
        .listen("/ip4/127.0.0.1/tcp/0")?
        .start()
        .await?;
    server.set_stream_handler("/echo/1.0.0", echo)?;
    let addr = server.listen_addrs().remove(0);
    Ok((server, addr))
}

fn socket_addr(addr: &Multiaddr) -> Result<SocketAddr, Box<dyn Error>> {
    let text = addr.to_string();
    let port = text.rsplit('/').next().ok_or("an address ends in its port")?;
    Ok(([127, 0, 0, 1], port.parse()?).into())
}

/// A connection from `127.0.0.<host>` that says nothing.
async fn silent(to: SocketAddr, host: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, host], 0).into())?;
    socket.connect(to).await
}

/// A newcomer connects and gets an echo.
async fn visit(addr: &Multiaddr) -> Outcome {
    let client = Node::builder(Keypair::generate()).start().await?;
    let peer = client.connect(addr.clone()).await?;
    let mut stream = client.new_stream(&peer, ["/echo/1.0.0"]).await?;
    stream.write_all(b"hello").await?;
    stream.finish().await?;
    assert_eq!(stream.read_to_end(100).await?, "hello");
    client.shutdown(Duration::ZERO).await;
    Ok(())
}

/// Three times as many as there are places; Linux alone has all of 127.0.0.0/8 without being told.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn silent_sockets_of_one_address_or_of_fifty_keep_no_newcomer_out() -> Outcome {
    let mut limits = Limits::default();
    (
        limits.pending,
        limits.pending_per_address,
        limits.pending_per_subnet,
    ) = (100, 25, 50);
    for addresses in [1, 50] {
        let (server, addr) = serving(limits).await?;
        let to = socket_addr(&addr)?;
        let mut silents = Vec::new();
        for n in 0..300u16 {
            // Who comes too often is turned away at once: it takes no place either.
            silents.extend(silent(to, u8::try_from(2 + n % addresses)?).await.ok());
            if n % 100 == 99 {
                visit(&addr).await?;
            }
        }
        assert!(silents.len() >= 64, "{} got in, which is no crowd", silents.len());
        drop(silents);
        server.shutdown(Duration::from_secs(1)).await;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_somebody_else_is_refused_and_named() -> Outcome {
    let (server, addr) = serving(Limits::default()).await?;
    let mut events = server.subscribe::<ConnectionEvent>();
    let client = Node::builder(Keypair::generate()).start().await?;
    let wanted = join_peer(addr, &PeerId::random())?;
    let Err(DialError::Failed { attempts, .. }) = client.connect(wanted).await else {
        return Err("it connected to somebody else".into());
    };
    let error = attempts[0].error().ok_or("an error")?;
    assert!(matches!(error, AttemptError::Upgrade(_)), "{error}");
    assert!(
        error.to_string().contains(&server.peer_id().to_string()),
        "{error}"
    );
    assert!(client.connections().is_empty());
    let event = events.next().await?.ok_or("alive")?;
    assert!(!matches!(event, ConnectionEvent::Opened(_)), "{event:?}");
    Ok(())
}

/// Neither of one who has a choice, nor of one whose handshake was on its way already.
#[tokio::test(start_paused = true)]
async fn no_security_in_common_is_told_as_such() -> Outcome {
    let node = || {
        let key = Keypair::generate();
        let node = Node::bare(key.clone())
            .transport(MemoryTransport::new())
            .muxer(Yamux::default());
        (key, node)
    };
    let (key, server) = node();
    let server = server.security(Noise::new(&key)?).listen("/memory/0".parse()?);
    let server = server.start().await?;
    for choice in [false, true] {
        let (key, client) = node();
        let mut names = vec!["/tls/1.0.0"];
        let mut client = client.security(Tls::new(&key)?);
        if choice {
            names.push("/plaintext/2.0.0");
            client = client.security(InsecurePlaintext::new(key.public()));
        }
        let client = client.start().await?;
        let Err(DialError::Failed { attempts, .. }) = client.connect(server.listen_addrs()).await else {
            return Err("they connected".into());
        };
        match attempts[0].error() {
            Some(AttemptError::Upgrade(UpgradeError::Negotiation {
                layer: Layer::SecurityNegotiation,
                error: NegotiationError::Unsupported(refused),
            })) => assert_eq!(*refused, names),
            error => return Err(format!("{error:?}").into()),
        }
    }
    Ok(())
}

#[tokio::test]
async fn many_who_came_and_went_leave_no_task_and_no_entry() -> Outcome {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let mut limits = Limits::one_machine_plays_many();
    limits.inbound_connections = 100;
    let (server, addr) = serving(limits).await?;
    let serving = alive();
    for _ in 0..100 {
        visit(&addr).await?;
    }
    let gone = async {
        while !server.connections().is_empty() || alive() > serving {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await?;
    visit(&addr).await?;
    server.shutdown(Duration::from_secs(1)).await;
    assert_eq!(alive(), before);
    Ok(())
}
