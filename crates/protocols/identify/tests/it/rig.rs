//! Hosts over the memory transport, with identify and without.

use sinew_core::{Host, Multiaddr, PeerId, Stream, Subscription};
use sinew_host::HostBuilder;
use sinew_identify::{Config, Handle, Identified, Info, Message, PROTOCOL};
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::timeout;
use sinew_yamux::Yamux;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A started host that listens, and what it learned.
pub(crate) struct Node {
    pub(crate) host: Host,
    pub(crate) addr: Multiaddr,
    pub(crate) identify: Handle,
    pub(crate) news: Subscription<Identified>,
}

impl Node {
    /// A node with identify and a key.
    pub(crate) async fn with_key(key: Keypair) -> Self {
        Self::with(key, Config::default()).await
    }

    pub(crate) async fn with(key: Keypair, config: Config) -> Self {
        let mut builder = builder(key);
        let identify = builder.add(config);
        let (host, addr) = start(builder).await;
        let news = host.subscribe();
        Self {
            host,
            addr,
            identify,
            news,
        }
    }

    pub(crate) async fn new() -> Self {
        Self::with_key(Keypair::generate()).await
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.host.peer_id()
    }

    /// The next that is learned of anybody.
    pub(crate) async fn next(&mut self) -> Identified {
        let next = timeout(Duration::from_secs(60), self.news.next()).await;
        next.expect("in time").expect("no loss").expect("the node runs")
    }

    /// Whether nothing is learned for a while.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        timeout(Duration::from_secs(60), self.news.next()).await.is_err()
    }

    pub(crate) fn protocols_of(&self, peer: &PeerId) -> Option<Vec<String>> {
        let protocols = self.host.peerstore().protocols(peer)?;
        Some(protocols.iter().map(ToString::to_string).collect())
    }
}

fn builder(key: Keypair) -> HostBuilder {
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .listen("/memory/0".parse().expect("an address"))
}

async fn start(builder: HostBuilder) -> (Host, Multiaddr) {
    let host = builder.start().await.expect("starts");
    let addr = host.listen_addrs().remove(0);
    (host, addr)
}

/// A host without identify: what it says of itself is up to the test.
pub(crate) async fn plain(key: Keypair) -> (Host, Multiaddr) {
    start(builder(key)).await
}

/// Answers every request for identify with `answer`, and counts them.
pub(crate) fn answering(host: &Host, answer: Vec<u8>) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let handler = move |mut stream: Stream| {
        count.fetch_add(1, Ordering::Relaxed);
        let answer = answer.clone();
        async move {
            // The asker may have had enough before all was said.
            let _ = stream.write_all(&answer).await;
            let _ = stream.finish().await;
        }
    };
    host.set_stream_handler(PROTOCOL, handler).expect("free");
    asked
}

/// A message that names `protocols`.
pub(crate) fn speaking(protocols: &[&str]) -> Message {
    let mut message = Message::default();
    message.protocols = protocols.iter().map(ToString::to_string).collect();
    message
}

pub(crate) fn names(info: &Info) -> Vec<String> {
    let protocols = info.protocols.iter().flat_map(|list| list.iter());
    protocols.map(ToString::to_string).collect()
}
