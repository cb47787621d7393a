//! Hosts over the memory transport, with identify and gossipsub or floodsub.

use sinew_core::{Host, Multiaddr, PeerId, ServiceConfig};
use sinew_gossipsub::{Config, Event, Gossipsub, Received, Subscription, Topic};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::timeout;
use sinew_yamux::Yamux;
use std::{sync::Arc, time::Duration};

/// A started host that listens, with a pubsub protocol.
pub(crate) struct Node<H> {
    pub(crate) host: Host,
    pub(crate) addr: Multiaddr,
    pub(crate) pubsub: H,
}

pub(crate) fn topic() -> Topic {
    "topic".parse().expect("a topic")
}

fn builder() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    let mut builder = HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .listen("/memory/0".parse().expect("an address"));
    builder.add(sinew_identify::Config::default());
    builder
}

/// A host without any of it, which says what a test wants.
pub(crate) async fn stranger() -> Host {
    builder().start().await.expect("starts")
}

impl<H> Node<H> {
    pub(crate) async fn with<C: ServiceConfig<Handle = H>>(config: C) -> Self {
        let mut builder = builder();
        let pubsub = builder.add(config);
        let host = builder.start().await.expect("starts");
        let addr = host.listen_addrs().remove(0);
        Self { host, addr, pubsub }
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.host.peer_id()
    }

    pub(crate) async fn connect<O>(&self, other: &Node<O>) {
        self.host.connect(other.addr.clone()).await.expect("connects");
    }
}

impl Node<Gossipsub> {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) fn subscribe(&self) -> Subscription {
        self.pubsub.subscribe(&topic()).expect("not too many")
    }

    pub(crate) async fn publish(&self, data: &[u8]) -> usize {
        let published = self.pubsub.publish(&topic(), data.to_vec()).await;
        published.expect("publishes").peers
    }

    /// Waits until so many peers follow the topic.
    pub(crate) async fn neighbours(&self, count: usize) {
        let topic = topic();
        let peers = self.pubsub.wait_for_peers(&topic, count);
        timeout(Duration::from_secs(60), peers)
            .await
            .expect("in time")
            .expect("the node runs");
    }
}

/// The next message of a subscription.
pub(crate) async fn message(subscription: &mut Subscription) -> Arc<Received> {
    let next = async {
        loop {
            let event = subscription.next().await.expect("no loss");
            if let Event::Message(received) = event.expect("the node runs") {
                return received;
            }
        }
    };
    timeout(Duration::from_secs(60), next).await.expect("in time")
}

/// Whether no message comes for a while.
pub(crate) async fn is_silent(subscription: &mut Subscription) -> bool {
    let quiet = async {
        loop {
            if let Ok(Some(Event::Message(_))) = subscription.next().await {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), quiet).await.is_err()
}
