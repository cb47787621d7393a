//! The builder of a host: parts in, a running host out. Without presets; those are the facade's.

use crate::{
    accept,
    address_policy::AddressPolicy,
    addresses::Addresses,
    backend::Backend,
    config::{Limits, Timeouts, Watermarks},
    dial::DialSlots,
    gates::{self, Gates},
    limits::System,
    machine::{
        announce::{Announcing, NoAnnounce},
        pending::Pending,
        places::Places,
        rate::Rates,
    },
    shared::{Parts, Shared},
    trim,
};
use multiaddr::Multiaddr;
use sinew_core::{
    ConnectionGater, HandlerError, Host, ListenError, Meter, MuxerUpgrade, Peerstore, RawUpgrade, Registrar,
    Resolver, SecureUpgrade, Service, ServiceConfig, ServiceContext, Shutdown, Transport, Unmetered,
};
use sinew_identity::Signer;
use std::{fmt, sync::Arc};

/// Puts a host together.
pub struct HostBuilder {
    shared: Arc<Shared>,
    transports: Vec<Arc<dyn Transport>>,
    private_network: Option<Arc<dyn RawUpgrade>>,
    security: Vec<Arc<dyn SecureUpgrade>>,
    muxers: Vec<Arc<dyn MuxerUpgrade>>,
    resolver: Option<Arc<dyn Resolver>>,
    gates: Gates,
    address_policy: AddressPolicy,
    /// A peerstore was given when another one was in use.
    second_peerstore: bool,
    meter: Arc<dyn Meter>,
    announcing: Announcing,
    limits: Limits,
    watermarks: Option<Watermarks>,
    timeouts: Timeouts,
    listen: Vec<Multiaddr>,
    registrar: Registrar,
    services: Vec<Box<dyn Service>>,
}

impl HostBuilder {
    /// A host with the key behind `signer`, and nothing else yet.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            shared: Shared::new(signer),
            transports: Vec::new(),
            private_network: None,
            security: Vec::new(),
            muxers: Vec::new(),
            resolver: None,
            gates: Gates::default(),
            address_policy: AddressPolicy::default(),
            second_peerstore: false,
            meter: Arc::new(Unmetered),
            announcing: Announcing::default(),
            limits: Limits::default(),
            watermarks: None,
            timeouts: Timeouts::default(),
            listen: Vec::new(),
            registrar: Registrar::default(),
            services: Vec::new(),
        }
    }

    /// Adds a transport. Where several take an address, the first one does.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transports.push(Arc::new(transport));
        self
    }

    /// Wraps every connection below its security: in the key of a private network. The node does not start with a
    /// transport that brings its own security, which cannot be wrapped.
    #[must_use]
    pub fn private_network(mut self, network: impl RawUpgrade) -> Self {
        self.private_network = Some(Arc::new(network));
        self
    }

    /// Adds a security protocol; the first is offered first.
    #[must_use]
    pub fn security(mut self, upgrade: impl SecureUpgrade) -> Self {
        self.security.push(Arc::new(upgrade));
        self
    }

    /// Adds a muxer; the first is offered first.
    #[must_use]
    pub fn muxer(mut self, muxer: impl MuxerUpgrade) -> Self {
        self.muxers.push(Arc::new(muxer));
        self
    }

    /// Sets what resolves names; without it, addresses with names fail.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Adds a say in who may connect, an [`AccessList`](crate::access::AccessList) for instance; everybody may unless told. Of
    /// several gaters, one that denies is enough.
    #[must_use]
    pub fn gater(mut self, gater: impl ConnectionGater) -> Self {
        self.gates.add(gater);
        self
    }

    /// Sets which addresses are dialled on whose word; public ones only unless told.
    #[must_use]
    pub fn address_policy(mut self, policy: AddressPolicy) -> Self {
        self.address_policy = policy;
        self
    }

    /// Sets what counts what the host does; nothing does unless told.
    #[must_use]
    pub fn meter(mut self, meter: impl Meter) -> Self {
        self.meter = Arc::new(meter);
        self
    }

    /// Tells others that the node is reached at `addr`, instead of what it listens on and what was confirmed. Can be
    /// called several times.
    #[must_use]
    pub fn announce(mut self, addr: Multiaddr) -> Self {
        self.announcing.only.push(addr);
        self
    }

    /// Tells others that the node is reached at `addr` too. Can be called several times.
    #[must_use]
    pub fn append_announce(mut self, addr: Multiaddr) -> Self {
        self.announcing.also.push(addr);
        self
    }

    /// Keeps an address, or all that begin with an IP address of a range, from being told to others, wherever it
    /// comes from. Can be called several times.
    #[must_use]
    pub fn no_announce(mut self, never: impl Into<NoAnnounce>) -> Self {
        self.announcing.never.push(never.into());
        self
    }

    /// Sets what keeps the knowledge of peers; a bounded one in memory unless told. Call it once, before services are
    /// added: the first store that is set or asked for stays, and the host does not start with a second one.
    #[must_use]
    pub fn peerstore(mut self, peerstore: impl Peerstore) -> Self {
        self.second_peerstore |= self.shared.peerstore.set(Arc::new(peerstore)).is_err();
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets with how many connections trimming begins and ends; [`Watermarks::of`] the limits unless told.
    #[must_use]
    pub fn watermarks(mut self, watermarks: Watermarks) -> Self {
        self.watermarks = Some(watermarks);
        self
    }

    /// Sets the deadlines.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Listens on `addr` from the start.
    #[must_use]
    pub fn listen(mut self, addr: Multiaddr) -> Self {
        self.listen.push(addr);
        self
    }

    /// Adds a service and gives its handle.
    pub fn add<C: ServiceConfig>(&mut self, config: C) -> C::Handle {
        let (handle, service) = config.build(self.host(), &mut self.registrar);
        self.services.push(service);
        handle
    }

    /// What of all that was set does not fit together.
    fn contradiction(&self, watermarks: Watermarks) -> Option<StartError> {
        if self.second_peerstore {
            return Some(StartError::SecondPeerstore);
        }
        if self.private_network.is_some()
            && let Some(secure) = self.transports.iter().find(|transport| transport.is_secure())
        {
            return Some(StartError::NotPrivate(secure.name()));
        }
        let (Watermarks { low, high, .. }, limit) = (watermarks, self.limits.connections());
        (low > high || high > limit).then_some(StartError::Watermarks { low, high, limit })
    }

    fn host(&self) -> Host {
        Host::new(Arc::new(Backend {
            shared: self.shared.clone(),
        }))
    }

    /// Starts the host: handlers first, then listeners, then services. It runs until
    /// [`Host::shutdown`](sinew_core::Host::shutdown) or the end of the tokio runtime.
    ///
    /// # Errors
    /// [`StartError`] when there are two peerstores, the watermarks contradict the limits, two services serve one protocol, or
    /// an address cannot be listened on; what was started by then is ended.
    pub async fn start(self) -> Result<Host, StartError> {
        let watermarks = self.watermarks.unwrap_or_else(|| Watermarks::of(&self.limits));
        if let Some(error) = self.contradiction(watermarks) {
            return Err(error);
        }
        let host = self.host();
        let Self {
            shared,
            listen,
            registrar,
            services,
            ..
        } = self;
        let parts = Parts {
            watermarks,
            system: System::new(self.limits),
            pending: Pending::new(self.limits.pending_quotas()).into(),
            places: Places::new(self.limits.inbound_quotas()).into(),
            transports: self.transports,
            private_network: self.private_network,
            security: self.security,
            muxers: self.muxers,
            resolver: self.resolver,
            gates: self.gates,
            rates: Rates::new(
                self.limits.inbound_rate_per_address,
                self.limits.inbound_rate_per_subnet,
            )
            .into(),
            address_policy: self.address_policy,
            dial_slots: DialSlots::new(self.limits.dials),
            meter: self.meter,
            announcing: self.announcing,
            timeouts: self.timeouts,
        };
        assert!(shared.start(parts), "a builder is consumed by its start");
        for registration in registrar.into_handlers() {
            shared.registry.register(registration)?;
        }
        shared.announce_protocols();
        Addresses::publish(&shared);
        gates::follow(&shared);
        trim::follow(&shared);
        for addr in listen {
            if let Err(error) = accept::listen(&shared, addr).await {
                host.shutdown(std::time::Duration::ZERO).await;
                return Err(error.into());
            }
        }
        services
            .into_iter()
            .for_each(|service| run(&shared, &host, service));
        Ok(host)
    }
}

/// Gives a service its task.
fn run(shared: &Arc<Shared>, host: &Host, service: Box<dyn Service>) {
    let name = service.name();
    let shutdown = Shutdown::from(shared.stop.subscribe());
    let context = ServiceContext::new(host.clone(), Arc::new(shared.services.clone()), shutdown);
    let task = service.run(context);
    shared.services.spawn(name, async move {
        if let Err(error) = task.await {
            tracing::error!(service = name, %error, "a service ended");
        }
    });
}

impl fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBuilder")
            .field("transports", &self.transports)
            .field("security", &self.security)
            .field("muxers", &self.muxers)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A transport with a security of its own, within a private network.
    #[error("{0} brings its own security, which the key of a private network cannot wrap")]
    NotPrivate(&'static str),
    /// A peerstore was set while another one was in use: one that was set before, or that a service has asked for.
    #[error("a second peerstore was set, or one after a service had asked for it: set it once, and first")]
    SecondPeerstore,
    /// Two services serve one protocol.
    #[error(transparent)]
    Handler(#[from] HandlerError),
    /// The watermarks are in the wrong order, or above what the limits allow.
    #[error(
        "watermarks of {low} and {high} connections: the low one is at most the high one, and that at most the {limit} that the limits allow"
    )]
    Watermarks {
        /// The low one.
        low: usize,
        /// The high one.
        high: usize,
        /// How many connections the limits allow.
        limit: usize,
    },
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
}
