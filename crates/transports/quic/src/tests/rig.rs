//! Two nodes that are connected.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sinew_core::{
    DialRequest, Incoming, LimitExceeded, Link, Listener, ListenerEvent, Multiaddr, MuxedStream, Purpose,
    Resource, ResourceScope, SecureConnection, Transport, TransportError, Unlimited,
};
use sinew_runtime::TaskScope;

use super::net::Network;
use crate::{Config, QuicTransport};

pub(crate) type Stream = Box<dyn MuxedStream>;

/// Where nodes listen.
pub(crate) const LISTEN: &str = "/ip4/192.0.2.1/udp/0/quic-v1";

pub(crate) fn addr(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

/// Listens where a node of the network can be.
pub(crate) async fn listening(node: &QuicTransport) -> (Box<dyn Listener>, Multiaddr) {
    let listener = node.listen(&addr(LISTEN)).await.expect("listens");
    let addr = listener.addresses().remove(0);
    (listener, addr)
}

pub(crate) async fn dial_for(
    node: &QuicTransport,
    addr: &Multiaddr,
    purpose: Purpose,
) -> Result<SecureConnection, TransportError> {
    secure(
        node.dial(addr, DialRequest::new(None, purpose, Arc::new(Unlimited)))
            .await?,
    )
}

pub(crate) async fn dial(node: &QuicTransport, addr: &Multiaddr) -> Result<SecureConnection, TransportError> {
    dial_for(node, addr, Purpose::Use).await
}

pub(crate) async fn incoming(listener: &mut dyn Listener) -> Box<dyn Incoming> {
    match listener.next().await {
        ListenerEvent::Incoming(incoming) => incoming,
        _ => panic!("nobody comes"),
    }
}

pub(crate) async fn finish(
    incoming: Box<dyn Incoming>,
    scope: Arc<dyn ResourceScope>,
) -> Result<SecureConnection, TransportError> {
    secure(incoming.finish(scope).await?)
}

fn secure(link: Link) -> Result<SecureConnection, TransportError> {
    match link {
        Link::Secure(secure) => Ok(secure),
        other => panic!("{other:?}"),
    }
}

/// Finishes whatever comes, in tasks, for as long as the scope lives.
pub(crate) fn serve(mut listener: Box<dyn Listener>, tasks: &TaskScope) {
    let spawn = tasks.clone();
    tasks.spawn("listener", async move {
        loop {
            let arrived = incoming(&mut *listener).await;
            let echoing = spawn.clone();
            spawn.spawn("connection", async move {
                if let Ok(connection) = finish(arrived, Arc::new(Unlimited)).await {
                    echo_streams(connection, &echoing).await;
                }
            });
        }
    });
}

/// Sends back what comes on each stream.
pub(crate) async fn echo_streams(connection: SecureConnection, tasks: &TaskScope) {
    let mut muxed = connection.muxed;
    tasks.spawn("driver", async move {
        muxed.driver.await;
    });
    while let Ok(mut stream) = poll_fn(|cx| muxed.accept.poll_accept(cx)).await {
        tasks.spawn("echo", async move {
            let (mut read, mut write) = tokio::io::split(&mut stream);
            let copied = tokio::io::copy(&mut read, &mut write).await;
            // Whoever leaves in the middle gets no answer.
            if copied.is_ok() {
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
            }
        });
    }
}

/// Counts what is charged, up to a limit.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicU64,
    pub(crate) most: AtomicU64,
    limit: u64,
}

impl Memory {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            most: AtomicU64::new(0),
            limit,
        })
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }
}

impl ResourceScope for Memory {
    fn charge(&self, resource: Resource, amount: u64) -> Result<(), LimitExceeded> {
        let used = self.used();
        if used + amount > self.limit {
            return Err(LimitExceeded::new("a test", resource, amount, used, self.limit));
        }
        self.used.fetch_add(amount, Ordering::SeqCst);
        self.most.fetch_max(used + amount, Ordering::SeqCst);
        Ok(())
    }

    fn release(&self, _: Resource, amount: u64) {
        self.used.fetch_sub(amount, Ordering::SeqCst);
    }

    fn note_unread(&self, _: u64) -> u64 {
        u64::MAX
    }
}

/// Two nodes, each with its end of one connection.
pub(crate) struct Pair {
    pub(crate) ours: SecureConnection,
    pub(crate) theirs: SecureConnection,
    /// The network between them.
    pub(crate) network: Network,
    pub(crate) nodes: [QuicTransport; 2],
}

impl Pair {
    pub(crate) async fn new(config: Config, latency: Duration) -> Self {
        Self::scoped(config, latency, Arc::new(Unlimited)).await
    }

    /// The accepting end charges `scope`.
    pub(crate) async fn scoped(config: Config, latency: Duration, scope: Arc<dyn ResourceScope>) -> Self {
        let network = Network::new(latency);
        let nodes = [network.node(config.clone()), network.node(config)];
        let (mut listener, addr) = listening(&nodes[1]).await;
        let accepting = async { finish(incoming(&mut *listener).await, scope).await };
        let (ours, theirs) = tokio::join!(dial(&nodes[0], &addr), accepting);
        Self {
            ours: ours.expect("connects"),
            theirs: theirs.expect("accepts"),
            network,
            nodes,
        }
    }

    /// Runs what the accepting end does by itself.
    pub(crate) fn drive_theirs(&mut self, tasks: &TaskScope) {
        let driver = std::mem::replace(&mut self.theirs.muxed.driver, Box::pin(std::future::pending()));
        tasks.spawn("driver", async move { drop(driver.await) });
    }

    /// A stream of ours as both ends hold it, after a first byte.
    pub(crate) async fn stream(&mut self) -> (Stream, Stream) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut ours = self.ours.muxed.handle.open().await.expect("opens");
        ours.write_all(b"x").await.expect("written");
        let accepted = poll_fn(|cx| self.theirs.muxed.accept.poll_accept(cx)).await;
        let mut theirs = accepted.expect("accepted");
        assert_eq!(theirs.read_u8().await.expect("read"), b'x');
        (ours, theirs)
    }
}
