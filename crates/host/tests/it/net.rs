//! A pretended Internet: addresses of IP, whatever they reach in truth, over pipes inside the process.

use crate::rig::builder_over;
use async_trait::async_trait;
use sinew_addr::Transport as Kind;
use sinew_core::{
    DialRequest, Incoming, Instant, Link, Listener, ListenerEvent, Multiaddr, Purpose, RawConnection,
    Refusal, ResolveError, Resolved, Resolver, ResourceScope, Transport, TransportError,
};
use sinew_host::HostBuilder;
use sinew_runtime::now;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{io::DuplexStream, sync::mpsc};

/// The network that all hosts of a test share.
#[derive(Clone, Default, Debug)]
pub(crate) struct Net(Arc<Mutex<State>>);

#[derive(Default, Debug)]
struct State {
    listeners: BTreeMap<String, mpsc::Sender<Arrival>>,
    silent: BTreeSet<String>,
    dialled: Vec<(String, Instant)>,
    ports: u16,
}

impl Net {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics inside")
    }

    /// A builder of a host whose machine is at this address.
    pub(crate) fn at(&self, ip: &str) -> HostBuilder {
        let (net, ip) = (self.clone(), ip.to_owned());
        builder_over(NetTransport { net, ip })
    }

    /// Nothing ever comes back from an address.
    pub(crate) fn swallow(&self, addr: &str) {
        self.lock().silent.insert(addr.to_owned());
    }

    /// The addresses that were dialled since the last question, and when.
    pub(crate) fn dialled(&self) -> Vec<(String, Instant)> {
        std::mem::take(&mut self.lock().dialled)
    }
}

pub(crate) fn addr(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

#[derive(Debug)]
struct NetTransport {
    net: Net,
    ip: String,
}

impl NetTransport {
    /// From where `to` is dialled: the port that is listened on, unless it must not be shared.
    fn local(&self, to: &Multiaddr, purpose: Purpose) -> Multiaddr {
        let mut state = self.net.lock();
        let fits = |known: &&String| {
            known.starts_with(&format!("{}/", self.ip))
                && sinew_addr::transport(&addr(known)) == sinew_addr::transport(to)
        };
        let shared = state.listeners.keys().find(fits).cloned();
        if let Some(shared) = shared.filter(|_| purpose != Purpose::Probe) {
            return addr(&shared);
        }
        state.ports += 1;
        let end = match sinew_addr::transport(to) {
            Some(Kind::Quic) => format!("udp/{}/quic-v1", 50_000 + state.ports),
            _ => format!("tcp/{}", 50_000 + state.ports),
        };
        addr(&format!("{}/{end}", self.ip))
    }
}

#[async_trait]
impl Transport for NetTransport {
    fn name(&self) -> &'static str {
        "net"
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        matches!(sinew_addr::transport(addr), Some(Kind::Tcp | Kind::Quic))
            && sinew_addr::scope(addr).is_some()
    }

    async fn dial(&self, to: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        let remote = to.clone();
        let found = {
            let mut state = self.net.lock();
            state.dialled.push((to.to_string(), now()));
            let silent = state.silent.contains(&to.to_string());
            (!silent).then(|| state.listeners.get(&to.to_string()).cloned())
        };
        let Some(listener) = found else {
            return std::future::pending().await;
        };
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let local = self.local(to, request.purpose);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let arrival = Arrival {
            io: theirs,
            local: remote.clone(),
            remote: local.clone(),
        };
        let sent = listener.ok_or_else(refused)?.send(arrival).await;
        sent.map_err(|_| refused())?;
        Ok(Link::Raw(RawConnection::new(Box::new(ours), local, remote)))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let (sender, arrivals) = mpsc::channel(64);
        self.net.lock().listeners.insert(addr.to_string(), sender);
        Ok(Box::new(NetListener {
            net: self.net.clone(),
            addr: addr.clone(),
            arrivals,
        }))
    }
}

struct NetListener {
    net: Net,
    addr: Multiaddr,
    arrivals: mpsc::Receiver<Arrival>,
}

impl Drop for NetListener {
    fn drop(&mut self) {
        self.net.lock().listeners.remove(&self.addr.to_string());
    }
}

#[async_trait]
impl Listener for NetListener {
    fn addresses(&self) -> Vec<Multiaddr> {
        vec![self.addr.clone()]
    }

    async fn next(&mut self) -> ListenerEvent {
        match self.arrivals.recv().await {
            Some(arrival) => ListenerEvent::Incoming(Box::new(arrival)),
            None => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
struct Arrival {
    io: DuplexStream,
    local: Multiaddr,
    remote: Multiaddr,
}

#[async_trait]
impl Incoming for Arrival {
    fn local(&self) -> &Multiaddr {
        &self.local
    }

    fn remote(&self) -> &Multiaddr {
        &self.remote
    }

    async fn finish(self: Box<Self>, _: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        Ok(Link::Raw(RawConnection::new(
            Box::new(self.io),
            self.local,
            self.remote,
        )))
    }

    fn refuse(self: Box<Self>, _: Refusal) {}
}

/// A resolver that knows these names, written as the addresses that hold them.
#[derive(Debug)]
pub(crate) struct Names(pub(crate) BTreeMap<&'static str, Vec<&'static str>>);

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, asked: &Multiaddr) -> Result<Vec<Resolved>, ResolveError> {
        let (asked, _) = sinew_addr::split_peer(asked);
        let found = self.0.get(asked.to_string().as_str());
        let found = found.ok_or_else(|| ResolveError::NotFound(asked.to_string()))?;
        Ok(found.iter().map(|text| Resolved::new(addr(text), None)).collect())
    }
}
