//! The TCP sockets of a node: which are listened on, by which transports, and which a dial may come from.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use sinew_core::{Link, Listener, Multiaddr, TransportError};
use sinew_machine::{Blame, Culpable};
use tokio::net::{TcpListener, TcpStream};

use crate::{Start, UnknownStart, listener::Listen, start::first_byte};

/// What a transport makes of connections that were accepted for it.
#[async_trait]
pub trait Accept: Send + Sync + fmt::Debug + 'static {
    /// What its connections begin with.
    fn start(&self) -> Start;

    /// Where it listens, as an address of the transport.
    fn local(&self, addr: SocketAddr) -> Multiaddr;

    /// Where a remote is, as an address of the transport.
    fn remote(&self, addr: SocketAddr) -> Multiaddr;

    /// Completes what the transport itself must do. Nothing of the stream was read.
    ///
    /// # Errors
    /// [`TransportError`] with the cause.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    async fn finish(&self, accepted: Accepted) -> Result<Link, TransportError>;
}

/// A connection as the system gave it.
#[derive(Debug)]
pub struct Accepted {
    /// The socket; it waits for nothing to gather (`TCP_NODELAY`).
    pub stream: TcpStream,
    /// Our address.
    pub local: SocketAddr,
    /// The remote's address.
    pub remote: SocketAddr,
}

/// The listening TCP sockets of a node. Clones are the same; transports that have one share ports: asked for an address
/// that another one listens on, they listen there too, and the first byte of each connection says whose it is.
#[derive(Clone, Default, Debug)]
pub struct TcpSockets {
    open: Arc<Mutex<BTreeMap<SocketAddr, Open>>>,
    apart: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Open {
    socket: Arc<TcpListener>,
    served: Arc<Served>,
}

/// What is listened for on one socket.
#[derive(Default, Debug)]
pub(crate) struct Served(Mutex<BTreeMap<Start, Arc<dyn Accept>>>);

/// Two that cannot be told apart cannot share a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is listened on already, and within a private network TCP shares no port: its first byte is random"
)]
pub struct NotShared(pub SocketAddr);

impl Culpable for NotShared {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

/// One transport's part of a socket; the socket is closed with the last one.
#[derive(Debug)]
pub(crate) struct Part {
    sockets: TcpSockets,
    pub(crate) addr: SocketAddr,
    start: Start,
}

impl TcpSockets {
    /// With nothing listened on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on plain TCP shares no port: under a private-network key a connection begins with a random byte.
    pub fn keep_tcp_apart(&self) {
        self.apart.store(true, Ordering::Relaxed);
    }

    /// Listens on `addr` for what `accept` serves, beside others that listen there for something else.
    ///
    /// # Errors
    /// What the system says: the address is taken, not of this machine, or forbidden; [`NotShared`] after
    /// [`TcpSockets::keep_tcp_apart`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn listen(
        &self,
        addr: SocketAddr,
        accept: &Arc<dyn Accept>,
    ) -> Result<Box<dyn Listener>, TransportError> {
        let start = accept.start();
        let mut open = self.lock();
        let (socket, served) = match open.get(&addr).filter(|open| !open.served.has(start)) {
            Some(shared) if self.apart.load(Ordering::Relaxed) && shared.served.would_mix(start) => {
                return Err(TransportError::Failed(Box::new(NotShared(addr))));
            }
            Some(shared) => (shared.socket.clone(), shared.served.clone()),
            None => (Arc::new(crate::listen_tcp(addr)?), Arc::default()),
        };
        let addr = socket.local_addr()?;
        served.lock().insert(start, accept.clone());
        open.insert(
            addr,
            Open {
                socket: socket.clone(),
                served: served.clone(),
            },
        );
        drop(open);
        let part = Part {
            sockets: self.clone(),
            addr,
            start,
        };
        Ok(Box::new(Listen::new(part, socket, served, accept.clone())?))
    }

    /// The socket to dial `remote` from over plain TCP, if one that listens for it will do.
    #[must_use]
    pub fn for_dial(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let open = self.lock();
        let tcp = open
            .iter()
            .filter(|(_, open)| open.served.has(Start::Multistream));
        nearest(tcp.map(|(addr, _)| *addr), remote)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Start, Arc<dyn Accept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, start: Start) -> bool {
        self.lock().contains_key(&start)
    }

    /// Whether plain TCP and something else would be on one socket.
    fn would_mix(&self, start: Start) -> bool {
        start == Start::Multistream || self.has(Start::Multistream)
    }

    /// Who may serve a connection that arrives now. It stays served when its listener goes.
    pub(crate) fn now(&self) -> Vec<Arc<dyn Accept>> {
        self.lock().values().cloned().collect()
    }
}

/// Whose `stream` is. Where there is a choice, its first byte is waited for.
pub(crate) async fn whose(
    stream: &TcpStream,
    served: &[Arc<dyn Accept>],
) -> Result<Arc<dyn Accept>, TransportError> {
    if let [only] = served {
        return Ok(only.clone());
    }
    let first = first_byte(stream).await?;
    let start = Start::of(first);
    let found = served.iter().find(|accept| Some(accept.start()) == start);
    let found = found.ok_or_else(|| TransportError::Failed(Box::new(UnknownStart(first))))?;
    Ok(found.clone())
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut open = self.sockets.lock();
        let Some(socket) = open.get(&self.addr) else {
            return;
        };
        let mut served = socket.served.lock();
        served.remove(&self.start);
        let last = served.is_empty();
        drop(served);
        if last {
            open.remove(&self.addr);
        }
    }
}

/// Of the addresses that are listened on, the one to dial `remote` from. Wildcards first: the system then picks the interface. A
/// concrete address does where it can reach the remote at all.
pub fn nearest(listening: impl Iterator<Item = SocketAddr>, remote: SocketAddr) -> Option<SocketAddr> {
    let reaches = |local: &SocketAddr| {
        let (ours, theirs) = (local.ip(), remote.ip());
        let near = ours.is_unspecified() || ours.is_loopback() == theirs.is_loopback();
        ours.is_ipv4() == theirs.is_ipv4() && near
    };
    let fit = listening.filter(reaches);
    fit.min_by_key(|local| !local.ip().is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(listening: &[&str], remote: &str) -> Option<String> {
        let listening = listening.iter().map(|addr| addr.parse().expect("a socket"));
        nearest(listening, remote.parse().expect("a socket")).map(|addr| addr.to_string())
    }

    #[test]
    fn the_port_that_fits_the_remote() {
        let all = ["127.0.0.1:1", "192.0.2.1:2", "0.0.0.0:3", "[::1]:4", "[::]:5"];
        assert_eq!(chosen(&all, "198.51.100.1:9").as_deref(), Some("0.0.0.0:3"));
        assert_eq!(chosen(&all, "[2001:db8::1]:9").as_deref(), Some("[::]:5"));
        let concrete = ["127.0.0.1:1", "192.0.2.1:2", "[::1]:4"];
        assert_eq!(
            chosen(&concrete, "198.51.100.1:9").as_deref(),
            Some("192.0.2.1:2")
        );
        assert_eq!(chosen(&concrete, "127.0.0.1:9").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(chosen(&concrete, "[::1]:9").as_deref(), Some("[::1]:4"));
        assert_eq!(chosen(&concrete, "[2001:db8::1]:9"), None);
        assert_eq!(chosen(&[], "127.0.0.1:9"), None);
    }
}
