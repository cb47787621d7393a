//! Hosts over the memory transport, with identify and floodsub, and without.

use sinew_core::{Host, Multiaddr, PeerId, Stream};
use sinew_floodsub::{Config, Event, Floodsub, PROTOCOL, Received, Rpc, Subscription, Topic};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::{sleep, timeout};
use sinew_yamux::Yamux;
use std::{sync::Arc, time::Duration};

/// A started host that listens, with floodsub.
pub(crate) struct Node {
    pub(crate) host: Host,
    pub(crate) addr: Multiaddr,
    pub(crate) floodsub: Floodsub,
}

pub(crate) fn topic() -> Topic {
    "topic".parse().expect("a topic")
}

impl Node {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let mut builder = builder(Keypair::generate());
        let floodsub = builder.add(config);
        let (host, addr) = start(builder).await;
        Self { host, addr, floodsub }
    }

    /// So many nodes, each connected to the next, and all subscribed.
    pub(crate) async fn line(count: usize, config: &Config) -> (Vec<Self>, Vec<Subscription>) {
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(Self::with(config.clone()).await);
        }
        for pair in nodes.windows(2) {
            pair[0].connect(&pair[1]).await;
        }
        let subscriptions: Vec<_> = nodes.iter().map(Self::subscribe).collect();
        for (n, node) in nodes.iter().enumerate() {
            let neighbours = usize::from(n > 0) + usize::from(n + 1 < count);
            node.neighbours(neighbours).await;
        }
        (nodes, subscriptions)
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.host.peer_id()
    }

    pub(crate) async fn connect(&self, other: &Self) {
        self.host.connect(other.addr.clone()).await.expect("connects");
    }

    pub(crate) fn subscribe(&self) -> Subscription {
        self.floodsub.subscribe(&topic()).expect("not too many")
    }

    /// Waits until so many peers follow the topic.
    pub(crate) async fn neighbours(&self, count: usize) {
        let topic = topic();
        let peers = self.floodsub.wait_for_peers(&topic, count);
        timeout(Duration::from_secs(60), peers)
            .await
            .expect("in time")
            .expect("the node runs");
    }

    /// Publishes, and says to how many peers it goes.
    pub(crate) async fn publish(&self, data: &[u8]) -> usize {
        let published = self.floodsub.publish(&topic(), data.to_vec()).await;
        published.expect("publishes").peers
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
    timeout(Duration::from_secs(60), quiet).await.is_err()
}

pub(crate) fn builder(key: Keypair) -> HostBuilder {
    let plaintext = InsecurePlaintext::new(key.public());
    let mut builder = HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .listen("/memory/0".parse().expect("an address"));
    builder.add(sinew_identify::Config::default());
    builder
}

async fn start(builder: HostBuilder) -> (Host, Multiaddr) {
    let host = builder.start().await.expect("starts");
    let addr = host.listen_addrs().remove(0);
    (host, addr)
}

/// A peer without floodsub, which writes what a test wants.
pub(crate) struct Stranger {
    pub(crate) host: Host,
    pub(crate) stream: Stream,
}

impl Stranger {
    /// Connects, and opens a stream. What others write to it is read and forgotten.
    pub(crate) async fn of(node: &Node) -> Self {
        let (host, _) = start(builder(Keypair::generate())).await;
        let sink = |mut stream: Stream| async move { while let Ok(Some(_)) = stream.read_chunk().await {} };
        host.set_stream_handler(PROTOCOL, sink).expect("free");
        Self::on(host, node).await
    }

    /// The same with a host.
    pub(crate) async fn on(host: Host, node: &Node) -> Self {
        let peer = host.connect(node.addr.clone()).await.expect("connects");
        let stream = host.new_stream(&peer, [PROTOCOL]).await.expect("opens");
        Self { host, stream }
    }

    /// A host without floodsub.
    pub(crate) async fn host() -> Host {
        start(builder(Keypair::generate())).await.0
    }

    pub(crate) async fn say(&mut self, rpc: &Rpc) {
        self.stream.write_chunk(rpc.encode()).await.expect("is read");
        self.stream.flush().await.expect("is read");
        // Virtual: until all that follows from it has happened.
        sleep(Duration::from_millis(1)).await;
    }
}
