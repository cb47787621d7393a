//! Private networks: who has the key talks, who has another or none does not, and what cannot be wrapped is refused.

#![cfg(all(feature = "pnet", feature = "tcp", feature = "noise", feature = "yamux"))]

use sinew::{
    AttemptError, Blame, Culpable, DialError, DialOptions, Host, Keypair, Multiaddr, Node, NodeBuilder,
    StartError, Timeouts,
    pnet::{PreSharedKey, PrivateNetwork},
};
use sinew_core::{
    DialRequest, Link, Listener, MuxerUpgrade, Role, SecureConnection, Transport, TransportError, Unlimited,
    UpgradeError,
};
use std::{error::Error, sync::Arc, time::Duration};

type Outcome = Result<(), Box<dyn Error>>;

fn builder(key: Option<u8>) -> NodeBuilder {
    // Noise may announce a word that never comes: the listener ends that soon, not after the usual seconds.
    let mut timeouts = Timeouts::default();
    timeouts.inbound_first = Duration::from_millis(300);
    let builder = Node::builder(Keypair::generate()).timeouts(timeouts);
    match key {
        Some(byte) => builder.private_network(PreSharedKey::from_bytes(&[byte; 32])),
        None => builder,
    }
}

async fn serving(key: Option<u8>) -> Result<(Host, Multiaddr), Box<dyn Error>> {
    let host = builder(key).listen("/ip4/127.0.0.1/tcp/0")?.start().await?;
    host.set_stream_handler("/large/1.0.0", async |mut stream: sinew::Stream| {
        // The asker judges what it got.
        let _ = stream.write_all(&vec![7; 1 << 20]).await;
        let _ = stream.finish().await;
    })?;
    let addr = host.listen_addrs().remove(0);
    Ok((host, addr))
}

fn attempt(error: &DialError) -> Option<&AttemptError> {
    match error {
        DialError::Failed { attempts, .. } => attempts.first().and_then(sinew::Attempt::error),
        _ => None,
    }
}

#[tokio::test]
async fn members_talk() -> Outcome {
    let (server, addr) = serving(Some(1)).await?;
    let client = builder(Some(1)).start().await?;
    let peer = client.connect(addr).await?;
    let mut stream = client.new_stream(&peer, ["/large/1.0.0"]).await?;
    stream.finish().await?;
    assert_eq!(stream.read_to_end(1 << 20).await?, vec![7; 1 << 20]);
    client.shutdown(Duration::ZERO).await;
    server.shutdown(Duration::ZERO).await;
    Ok(())
}

#[tokio::test]
async fn others_do_not() -> Outcome {
    for (listens, dials) in [(Some(1), Some(2)), (Some(1), None), (None, Some(1))] {
        let (server, addr) = serving(listens).await?;
        let client = builder(dials).start().await?;
        let error = client.dial(addr, DialOptions::default()).await.map(drop);
        let error = error.expect_err("they are no members of one network");
        let text = attempt(&error).ok_or("an attempt was made")?.to_string();
        // Who has no key cannot know that there is one.
        let asks = text.contains("is the pre-shared key the same?");
        assert_eq!(asks, dials.is_some(), "{listens:?} {dials:?}: {text}");
        assert_eq!(server.connections().len(), 0);
        client.shutdown(Duration::ZERO).await;
        server.shutdown(Duration::ZERO).await;
    }
    Ok(())
}

/// Its handshake begins together with the negotiation, which is what fails all the same.
#[tokio::test]
async fn a_stranger_with_one_security_is_told_the_same() -> Outcome {
    let (server, addr) = serving(Some(1)).await?;
    let key = Keypair::generate();
    let client = Node::bare(key.clone())
        .transport(sinew::tcp::TcpTransport::new())
        .private_network(PrivateNetwork::new(PreSharedKey::from_bytes(&[2; 32])))
        .security(sinew::noise::Noise::new(&key)?)
        .muxer(sinew::yamux::Yamux::default())
        .start()
        .await?;
    let dialled = client.dial(addr, DialOptions::default()).await;
    let error = dialled.map(drop).expect_err("they are no members of one network");
    assert!(
        matches!(
            attempt(&error),
            Some(AttemptError::Upgrade(UpgradeError::PrivateNetwork(_)))
        ),
        "{error}"
    );
    client.shutdown(Duration::ZERO).await;
    server.shutdown(Duration::ZERO).await;
    Ok(())
}

/// A transport that yields finished connections; whether it says so is its own affair.
#[derive(Debug)]
struct Finished {
    says_so: bool,
}

#[async_trait::async_trait]
impl Transport for Finished {
    fn name(&self) -> &'static str {
        "finished"
    }

    fn is_secure(&self) -> bool {
        self.says_so
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        addr.to_string().starts_with("/memory/")
    }

    async fn dial(&self, addr: &Multiaddr, _: DialRequest) -> Result<Link, TransportError> {
        let (near, _) = tokio::io::duplex(1000);
        let muxed = sinew::yamux::Yamux::default().mux(Box::new(near), Role::Dialer, Arc::new(Unlimited));
        let key = Keypair::generate().public().clone();
        let connection = SecureConnection::new(muxed, key, addr.clone(), addr.clone());
        Ok(Link::Secure(connection))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        Err(TransportError::Unsupported(addr.clone()))
    }
}

#[tokio::test]
async fn a_transport_with_its_own_security_is_refused_at_the_start() -> Outcome {
    let started = builder(Some(1))
        .transport(Finished { says_so: true })
        .start()
        .await;
    let error = started.expect_err("it cannot be wrapped");
    assert!(matches!(error, StartError::Host(_)), "{error}");
    assert!(
        error.to_string().starts_with("finished brings its own security"),
        "{error}"
    );
    builder(None)
        .transport(Finished { says_so: true })
        .start()
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_finished_connection_is_refused_when_it_comes() -> Outcome {
    let client = builder(Some(1))
        .transport(Finished { says_so: false })
        .start()
        .await?;
    let dialled = client
        .dial("/memory/7".parse::<Multiaddr>()?, DialOptions::default())
        .await;
    let error = dialled.map(drop).expect_err("it was not wrapped");
    match attempt(&error) {
        Some(AttemptError::Upgrade(UpgradeError::NotPrivate(name))) => assert_eq!(*name, "finished"),
        other => return Err(format!("{other:?}").into()),
    }
    assert_eq!(attempt(&error).map(Culpable::blame), Some(Blame::Local));
    assert_eq!(client.connections().len(), 0);
    client.shutdown(Duration::ZERO).await;
    Ok(())
}
