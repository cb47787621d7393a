//! The sockets of a transport: each dials, and those that are listened on accept as well.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use quinn::{AsyncUdpSocket, Runtime, ServerConfig};
use sinew_core::{DialRequest, Purpose, Reservation, Resource, TransportError};

use crate::{
    runtime::Tasks,
    socket::{Socket, Sparing},
};

/// Where sockets come from: the system, or a test's network.
pub(crate) trait Net: Send + Sync + fmt::Debug + 'static {
    /// A socket bound to `addr`.
    fn bind(&self, addr: SocketAddr, tasks: &Tasks) -> io::Result<Arc<dyn AsyncUdpSocket>>;
}

/// The network of the system.
#[derive(Debug)]
pub(crate) struct System;

impl Net for System {
    fn bind(&self, addr: SocketAddr, tasks: &Tasks) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        tasks.wrap_udp_socket(sinew_socket::bind_udp(addr)?)
    }
}

/// The sockets of one transport.
#[derive(Debug)]
pub(crate) struct Endpoints {
    net: Box<dyn Net>,
    pub(crate) tasks: Arc<Tasks>,
    sockets: Mutex<Sockets>,
}

#[derive(Default, Debug)]
struct Sockets {
    listening: BTreeMap<SocketAddr, Arc<Socket>>,
    /// For dials where no listening socket will do, by family.
    dialling: BTreeMap<bool, Arc<Socket>>,
}

impl Sockets {
    /// A socket that is listened on and reaches `remote`.
    fn nearest(&self, remote: SocketAddr) -> Option<Arc<Socket>> {
        let addr = sinew_socket::nearest(self.listening.keys().copied(), remote)?;
        self.listening.get(&addr).cloned()
    }
}

/// A socket that is listened on until this is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    endpoints: Arc<Endpoints>,
    pub(crate) socket: Arc<Socket>,
}

impl Endpoints {
    pub(crate) fn new(net: impl Net) -> Arc<Self> {
        Arc::new(Self {
            net: Box::new(net),
            tasks: Tasks::new(),
            sockets: Mutex::default(),
        })
    }

    /// Listens on `addr`.
    pub(crate) fn listen(self: &Arc<Self>, addr: SocketAddr, config: ServerConfig) -> io::Result<Listening> {
        let socket = self.open(addr, Some(config), None)?;
        self.lock().listening.insert(socket.local, socket.clone());
        Ok(Listening {
            endpoints: self.clone(),
            socket,
        })
    }

    /// The socket to dial `remote` from.
    pub(crate) fn for_dial(
        &self,
        remote: SocketAddr,
        request: &DialRequest,
    ) -> Result<Arc<Socket>, TransportError> {
        let any = match remote {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let any = SocketAddr::new(any, 0);
        if request.purpose == Purpose::Probe {
            let descriptor = Reservation::new(request.scope.clone(), Resource::Descriptors, 1)?;
            return Ok(self.open(any, None, Some(descriptor))?);
        }
        let mut sockets = self.lock();
        if let Some(socket) = sockets.nearest(remote) {
            return Ok(socket);
        }
        if let Some(socket) = sockets.dialling.get(&remote.is_ipv4()) {
            return Ok(socket.clone());
        }
        let socket = self.open(any, None, None)?;
        sockets.dialling.insert(remote.is_ipv4(), socket.clone());
        Ok(socket)
    }

    /// A socket that is listened on and reaches `remote`.
    pub(crate) fn for_punch(&self, remote: SocketAddr) -> Option<Arc<Socket>> {
        self.lock().nearest(remote)
    }

    fn open(
        &self,
        addr: SocketAddr,
        server: Option<ServerConfig>,
        descriptor: Option<Reservation>,
    ) -> io::Result<Arc<Socket>> {
        let udp = Sparing::new(self.net.bind(addr, &self.tasks)?, descriptor);
        Ok(Arc::new(Socket::new(udp, server, self.tasks.clone())?))
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody is accepted any more. Connections that stand go on, over the same socket.
impl Drop for Listening {
    fn drop(&mut self) {
        self.endpoints.lock().listening.remove(&self.socket.local);
        let endpoint = &self.socket.endpoint;
        // From here on nobody is added to those who wait, of whom there are few.
        endpoint.set_server_config(None);
        while let Some(Some(incoming)) = endpoint.accept().now_or_never() {
            incoming.refuse();
        }
    }
}
