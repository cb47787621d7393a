//! What every task of a host sees.

use crate::{
    address_policy::AddressPolicy,
    addresses::Addresses,
    config::{Timeouts, Watermarks},
    connection,
    dial::{DialSlots, Flights},
    entry::{Entry, Handle, Worth},
    gates::Gates,
    limits::{Place, System},
    machine::{announce::Announcing, pending::Pending, places::Places, rate::Rates, tags::Tags},
    membership::Feeds,
    registry::Registry,
    table::Table,
};
use multiaddr::Multiaddr;
use sinew_core::{
    Bus, Connection, HandledProtocols, LimitExceeded, Meter, MuxerUpgrade, PeerState, Peerstore, RawUpgrade,
    Resolver, SecureUpgrade, Transport,
};
use sinew_identity::{PeerId, Signer};
use sinew_machine::ConnectionId;
use sinew_peerstore::MemoryPeerstore;
use sinew_runtime::TaskScope;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, Semaphore, oneshot, watch};

/// What a host is built of; set when it starts.
pub(crate) struct Parts {
    pub(crate) transports: Vec<Arc<dyn Transport>>,
    pub(crate) private_network: Option<Arc<dyn RawUpgrade>>,
    pub(crate) security: Vec<Arc<dyn SecureUpgrade>>,
    pub(crate) muxers: Vec<Arc<dyn MuxerUpgrade>>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) gates: Gates,
    pub(crate) address_policy: AddressPolicy,
    pub(crate) dial_slots: DialSlots,
    pub(crate) meter: Arc<dyn Meter>,
    pub(crate) announcing: Announcing,
    pub(crate) timeouts: Timeouts,
    pub(crate) watermarks: Watermarks,
    pub(crate) system: Arc<System>,
    pub(crate) pending: Mutex<Pending<oneshot::Sender<()>>>,
    pub(crate) places: Mutex<Places<Arc<Entry>>>,
    pub(crate) rates: Mutex<Rates>,
}

/// An open listener, by the address it was opened with.
pub(crate) struct OpenListener {
    pub(crate) addrs: Vec<Multiaddr>,
    pub(crate) _stop: oneshot::Sender<()>,
}

/// What every task of a host sees.
pub(crate) struct Shared {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) local: PeerId,
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    pub(crate) table: Table,
    pub(crate) feeds: Feeds,
    pub(crate) flights: Flights,
    pub(crate) addresses: Addresses,
    pub(crate) listeners: Mutex<BTreeMap<Multiaddr, OpenListener>>,
    /// Listeners and upgrades.
    pub(crate) accepting: TaskScope,
    pub(crate) connections: TaskScope,
    /// Turns of connections that say goodbye and never were in the table.
    pub(crate) farewells: Arc<Semaphore>,
    /// Inbound streams.
    pub(crate) handlers: TaskScope,
    pub(crate) services: TaskScope,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) closing: AtomicBool,
    pub(crate) peerstore: OnceLock<Arc<dyn Peerstore>>,
    /// There are too many connections.
    pub(crate) crowded: Notify,
    tags: Mutex<Tags>,
    parts: OnceLock<Parts>,
    next_connection: AtomicU64,
}

impl Shared {
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Arc<Self> {
        let local = signer.public().peer_id();
        Arc::new(Self {
            signer,
            local,
            bus: Bus::default(),
            registry: Registry::default(),
            table: Table::new(local),
            feeds: Feeds::default(),
            flights: Flights::default(),
            addresses: Addresses::default(),
            listeners: Mutex::default(),
            accepting: TaskScope::new("accepting"),
            connections: TaskScope::new("connections"),
            farewells: Arc::new(Semaphore::new(connection::FAREWELLS)),
            handlers: TaskScope::new("handlers"),
            services: TaskScope::new("services"),
            stop: watch::Sender::new(false),
            closing: AtomicBool::new(false),
            peerstore: OnceLock::new(),
            crowded: Notify::new(),
            tags: Mutex::default(),
            parts: OnceLock::new(),
            next_connection: AtomicU64::new(1),
        })
    }

    /// Sets the parts; `false` if they were set before.
    pub(crate) fn start(&self, parts: Parts) -> bool {
        self.parts.set(parts).is_ok()
    }

    /// The parts, while the host runs.
    pub(crate) fn running(&self) -> Option<&Parts> {
        if self.closing.load(Ordering::Acquire) {
            None
        } else {
            self.parts.get()
        }
    }

    /// The parts, in tasks that only a started host has.
    pub(crate) fn parts(&self) -> &Parts {
        self.parts.get().expect("tasks run in a started host only")
    }

    pub(crate) fn peerstore(&self) -> &Arc<dyn Peerstore> {
        self.peerstore
            .get_or_init(|| Arc::new(MemoryPeerstore::default()))
    }

    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// The place of a new connection that takes so many file descriptors.
    pub(crate) fn place(&self, descriptors: u64) -> Result<Place, LimitExceeded> {
        Place::pending(&self.parts().system, descriptors)
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending<oneshot::Sender<()>>> {
        self.parts()
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn places(&self) -> MutexGuard<'_, Places<Arc<Entry>>> {
        self.parts().places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rates(&self) -> MutexGuard<'_, Rates> {
        self.parts().rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listeners(&self) -> MutexGuard<'_, BTreeMap<Multiaddr, OpenListener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is listened on now.
    pub(crate) fn listen_addrs(&self) -> Vec<Multiaddr> {
        let listeners = self.listeners();
        let addrs = listeners.values().flat_map(|listener| &listener.addrs);
        addrs.cloned().collect()
    }

    /// A handle for a connection; `None` when it is being closed.
    pub(crate) fn handle(self: &Arc<Self>, entry: &Arc<Entry>) -> Option<Connection> {
        let used = entry.acquire(Worth::Useful)?;
        Some(Connection::new(Arc::new(Handle {
            shared: self.clone(),
            used,
        })))
    }

    /// How a peer is now.
    pub(crate) fn peer_state(&self, peer: PeerId) -> PeerState {
        let (generation, connections) = self.table.state(&peer);
        let protocols = self
            .peerstore()
            .protocols(&peer)
            .filter(|_| !connections.is_empty());
        PeerState::new(peer, generation, connections, protocols)
    }

    /// Tells what has a handler.
    pub(crate) fn announce_protocols(&self) {
        self.bus.update(|HandledProtocols(known)| {
            // Looked up while the fact is held: of two changes at once, the newer is told last.
            let names = self.registry.names();
            let changed = **known != names[..];
            *known = names.into();
            changed
        });
    }
}
