//! Whole nodes that have no muxer but mplex, which the preset leaves out: what applications do, and a reset without a code.

#![cfg(all(feature = "identify", feature = "noise", feature = "ping", feature = "tcp"))]

use sinew::{
    CloseCode, DialOptions, Host, Keypair, Node, ProtocolId, Stream, StreamReset, code, identify,
    noise::Noise,
    ping::{self, Ping},
    tcp::TcpTransport,
};
use sinew_mplex::Mplex;
use std::{error::Error, io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Outcome = Result<(), Box<dyn Error>>;

const MIB: usize = 1024 * 1024;

/// A node that listens and echoes, and what is asked of its handles.
struct Running {
    host: Host,
    ping: Ping,
    identify: identify::Handle,
}

async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    // The peer may have gone: then there is nobody to tell.
    let _ = stream.finish().await;
}

async fn node() -> Result<Running, Box<dyn Error>> {
    let key = Keypair::generate();
    let mut builder = Node::bare(key.clone())
        .transport(TcpTransport::new())
        .security(Noise::new(&key)?)
        .muxer(Mplex::default())
        .listen("/ip4/127.0.0.1/tcp/0".parse()?);
    let ping = builder.add(ping::Config::default());
    let identify = builder.add(identify::Config::default());
    let host = builder.start().await?;
    host.set_stream_handler("/echo/1.0.0", echo)?;
    Ok(Running { host, ping, identify })
}

async fn connected() -> Result<[Running; 2], Box<dyn Error>> {
    let (ours, theirs) = (node().await?, node().await?);
    let addr = theirs.host.listen_addrs().remove(0);
    let connection = ours.host.dial(addr, DialOptions::default()).await?;
    let muxer = connection.info().muxer.as_ref().map(ProtocolId::as_str);
    assert_eq!(muxer, Some("/mplex/6.7.0"));
    // The dialler is done first.
    while theirs.host.connections().is_empty() {
        tokio::task::yield_now().await;
    }
    Ok([ours, theirs])
}

async fn end(nodes: [Running; 2]) {
    for node in nodes {
        node.host.shutdown(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn both_sides_ping_and_identify_each_other() -> Outcome {
    let nodes = connected().await?;
    let [ours, theirs] = &nodes;
    for (from, to) in [(ours, theirs), (theirs, ours)] {
        let peer = to.host.peer_id();
        let mut pings = from.ping.pings(peer, Duration::from_millis(1));
        for _ in 0..5 {
            pings.next().await?;
        }
        pings.finish().await;
        let info = from.identify.identify(peer).await?;
        assert!(info.listen_addrs.contains(&to.host.listen_addrs()[0]));
    }
    end(nodes).await;
    Ok(())
}

/// The question ends before the answer does, in both directions at once.
#[tokio::test]
async fn a_stream_is_half_closed() -> Outcome {
    let nodes = connected().await?;
    let [ours, theirs] = &nodes;
    let question: Vec<u8> = (0..MIB).map(|at| (at * 31 + at / 253) as u8).collect();
    let ask = async |from: &Host, to: &Host| {
        let stream = from.new_stream(&to.peer_id(), ["/echo/1.0.0"]).await?;
        let (mut reading, mut writing) = tokio::io::split(stream);
        let mut answer = Vec::new();
        let asking = async {
            writing.write_all(&question).await?;
            writing.shutdown().await
        };
        tokio::try_join!(asking, reading.read_to_end(&mut answer))?;
        Ok::<_, Box<dyn Error>>(answer)
    };
    let (first, second) = tokio::try_join!(ask(&ours.host, &theirs.host), ask(&theirs.host, &ours.host))?;
    assert!(first == question && second == question);
    end(nodes).await;
    Ok(())
}

/// The wire has no codes: who is reset learns that, and no more. Other streams go on.
#[tokio::test]
async fn a_reset_arrives_without_its_code() -> Outcome {
    let nodes = connected().await?;
    let [ours, theirs] = &nodes;
    theirs
        .host
        .set_stream_handler("/busy/1.0.0", async |stream: Stream| {
            stream.reset(code::stream::RATE_LIMITED);
        })?;
    let peer = theirs.host.peer_id();
    let mut kept = ours.host.new_stream(&peer, ["/echo/1.0.0"]).await?;
    kept.write_all(b"before").await?;
    let mut stream = ours.host.new_stream(&peer, ["/busy/1.0.0"]).await?;
    let error = loop {
        if let Err(error) = stream.read_chunk().await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let reset = error.get_ref().and_then(|inside| inside.downcast_ref());
    assert_eq!(reset, Some(&StreamReset(CloseCode::NONE)), "{error}");
    kept.write_all(b" and after").await?;
    kept.finish().await?;
    assert_eq!(kept.read_to_end(100).await?, "before and after");
    end(nodes).await;
    Ok(())
}
