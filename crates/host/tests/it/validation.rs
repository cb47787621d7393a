//! Addresses are validated once pending places are scarce.

use async_trait::async_trait;
use sinew_core::{
    DialRequest, Incoming, Link, Listener, ListenerEvent, Multiaddr, Purpose, Refusal, ResourceScope,
    Transport, TransportError, Unlimited,
};
use sinew_host::{HostBuilder, Limits};
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Memory connections whose dialler may be anybody, and how often one was asked to come again.
#[derive(Clone, Default, Debug)]
struct Forgeable {
    inner: MemoryTransport,
    arrived: Arc<AtomicUsize>,
    retried: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Forgeable {
    fn name(&self) -> &'static str {
        "forgeable"
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        self.inner.handles(addr)
    }

    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        self.inner.dial(addr, request).await
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let inner = self.inner.listen(addr).await?;
        let transport = self.clone();
        Ok(Box::new(Listen { inner, transport }))
    }
}

struct Listen {
    inner: Box<dyn Listener>,
    transport: Forgeable,
}

#[async_trait]
impl Listener for Listen {
    fn addresses(&self) -> Vec<Multiaddr> {
        self.inner.addresses()
    }

    async fn next(&mut self) -> ListenerEvent {
        match self.inner.next().await {
            ListenerEvent::Incoming(inner) => {
                self.transport.arrived.fetch_add(1, Ordering::SeqCst);
                let transport = self.transport.clone();
                ListenerEvent::Incoming(Box::new(Arrival { inner, transport }))
            }
            other => other,
        }
    }
}

struct Arrival {
    inner: Box<dyn Incoming>,
    transport: Forgeable,
}

#[async_trait]
impl Incoming for Arrival {
    fn local(&self) -> &Multiaddr {
        self.inner.local()
    }

    fn remote(&self) -> &Multiaddr {
        self.inner.remote()
    }

    fn is_validated(&self) -> bool {
        false
    }

    async fn finish(self: Box<Self>, scope: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        self.inner.finish(scope).await
    }

    fn refuse(self: Box<Self>, how: Refusal) {
        assert_eq!(how, Refusal::Retry, "nothing else refuses here");
        self.transport.retried.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_not_proved_an_address_gets_half_of_the_places() {
    let mut limits = Limits::default();
    (
        limits.pending,
        limits.pending_per_address,
        limits.pending_per_subnet,
    ) = (8, 8, 8);
    let transport = Forgeable::default();
    let host = HostBuilder::new(Arc::new(Keypair::generate()))
        .limits(limits)
        .transport(transport.clone())
        .listen("/memory/0".parse().expect("an address"))
        .start()
        .await
        .expect("starts");
    let addr = host.listen_addrs().remove(0);
    let mut held = Vec::new();
    for _ in 0..20 {
        let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
        held.push(transport.dial(&addr, request).await.expect("connects"));
    }
    while transport.arrived.load(Ordering::SeqCst) < 20 {
        tokio::task::yield_now().await;
    }
    // Five are more than half of eight; all who come later are asked to prove their address first.
    assert_eq!(transport.retried.load(Ordering::SeqCst), 15);
}
