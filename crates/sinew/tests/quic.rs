//! Whole nodes over QUIC: the protocols of the preset, and whom a dial refuses.

#![cfg(all(
    feature = "quic",
    feature = "identify",
    feature = "ping",
    feature = "request-response"
))]

use sinew::{
    CloseReason, ConnectionEvent, DialError, Host, Keypair, Multiaddr, Node, PeerId, Stream, StreamReset,
    addr::join_peer,
    code,
    request_response::{Cbor, Client, Config, Context},
};
use std::{error::Error, time::Duration};

type Outcome = Result<(), Box<dyn Error>>;

/// A node that listens, and what is asked of its handles.
struct Running {
    host: Host,
    ping: sinew::ping::Ping,
    identify: sinew::identify::Handle,
    doubles: Client<Cbor<u64, u64>>,
}

async fn node(listen: &str) -> Result<Running, Box<dyn Error>> {
    let mut builder = Node::builder(Keypair::generate()).listen(listen)?;
    let (ping, identify) = (builder.ping(), builder.identify());
    let double = |number: u64, _: Context| async move { Ok(2 * number) };
    let doubles = builder.add(Config::new("/double/1.0.0").serve(double));
    let host = builder.start().await?;
    Ok(Running {
        host,
        ping,
        identify,
        doubles,
    })
}

async fn end(nodes: impl IntoIterator<Item = Running>) {
    for node in nodes {
        node.host.shutdown(Duration::from_secs(1)).await;
    }
}

/// Every protocol of the preset, in both directions.
async fn talk(listen: &str) -> Outcome {
    let (ours, theirs) = (node(listen).await?, node(listen).await?);
    let there = theirs.host.listen_addrs().remove(0);
    assert!(there.to_string().ends_with("/quic-v1"), "{there}");
    let peer = ours.host.connect(there.clone()).await?;
    assert_eq!(peer, theirs.host.peer_id());
    for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
        let peer = to.host.peer_id();
        let mut pings = from.ping.pings(peer, Duration::from_millis(1));
        for _ in 0..5 {
            pings.next().await?;
        }
        pings.finish().await;
        let info = from.identify.identify(peer).await?;
        assert_eq!(info.peer, peer);
        assert_eq!(from.doubles.request(peer, &21).await?, 42);
    }
    let connection = ours.host.connection(&peer).ok_or("connected")?;
    let info = connection.info();
    assert_eq!((info.transport, &info.remote), ("quic", &there));
    // One socket listens and dials.
    assert_eq!(info.local, ours.host.listen_addrs()[0]);
    assert!(connection.rtt().is_some());
    end([ours, theirs]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_talk_over_ipv4() -> Outcome {
    talk("/ip4/127.0.0.1/udp/0/quic-v1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_talk_over_ipv6() -> Outcome {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return Ok(()); // A machine without IPv6.
    }
    talk("/ip6/::1/udp/0/quic-v1").await
}

#[tokio::test]
async fn another_peer_at_the_address_is_refused() -> Outcome {
    let theirs = node("/ip4/127.0.0.1/udp/0/quic-v1").await?;
    let expected = PeerId::random();
    let there = join_peer(theirs.host.listen_addrs().remove(0), &expected)?;
    let client = Node::builder(Keypair::generate()).start().await?;
    let error = client.connect(there).await.expect_err("somebody else answers");
    let (expected, actual) = (expected.to_string(), theirs.host.peer_id().to_string());
    assert!(matches!(error, DialError::Failed { .. }));
    let text = error.to_string();
    assert!(
        text.contains(&format!("expected peer {expected}, but {actual} answered")),
        "{text}"
    );
    let draft: Multiaddr = "/ip4/127.0.0.1/udp/4001/quic".parse()?;
    let error = client.connect(draft).await.expect_err("nobody speaks it");
    assert!(error.to_string().contains("use /quic-v1"), "{error}");
    client.shutdown(Duration::from_secs(1)).await;
    end([theirs]).await;
    Ok(())
}

#[tokio::test]
async fn codes_reach_the_other_application() -> Outcome {
    let theirs = node("/ip4/127.0.0.1/udp/0/quic-v1").await?;
    theirs
        .host
        .set_stream_handler("/busy/1.0.0", |stream: Stream| async move {
            stream.reset(code::stream::RATE_LIMITED);
        })?;
    let ours = node("/ip4/127.0.0.1/udp/0/quic-v1").await?;
    let peer = ours.host.connect(theirs.host.listen_addrs()).await?;
    let mut stream = ours.host.new_stream(&peer, ["/busy/1.0.0"]).await?;
    let error = loop {
        if let Err(error) = stream.read_chunk().await {
            break error;
        }
    };
    let reset = error
        .get_ref()
        .and_then(|inside| inside.downcast_ref::<StreamReset>());
    assert_eq!(reset, Some(&StreamReset(code::stream::RATE_LIMITED)), "{error}");
    let mut events = ours.host.subscribe::<ConnectionEvent>();
    theirs.host.shutdown(Duration::from_secs(1)).await;
    let reason = loop {
        if let Some(ConnectionEvent::Closed(_, reason)) = events.next().await? {
            break reason;
        }
    };
    assert!(
        matches!(reason, CloseReason::Remote(code::connection::SHUTDOWN)),
        "{reason}"
    );
    end([ours]).await;
    Ok(())
}
