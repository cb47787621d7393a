//! The service: asks on each new connection, and tells peers of changes.

use crate::{Outbox, exchange, shared::Shared};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use sinew_core::{
    AnnouncedAddrs, ConnectionId, HandledProtocols, Observer, PeerId, PeerState, Service, ServiceContext,
    ServiceError, Spawn,
};
use sinew_runtime::{now, sleep_until};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::Arc,
};
use tokio::sync::watch;

/// Asks on each new connection, and tells peers of changes.
pub(crate) struct Identifying {
    shared: Arc<Shared>,
    outbox: Outbox,
    /// The connections that were asked.
    asked: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
    pushing: FuturesUnordered<BoxFuture<'static, PeerId>>,
    addrs: Observer<AnnouncedAddrs>,
    protocols: Observer<HandledProtocols>,
    /// Dropped with the service, which ends its handlers.
    _stop: watch::Sender<bool>,
}

impl Identifying {
    pub(crate) fn new(shared: Arc<Shared>, stop: watch::Sender<bool>) -> Self {
        let (addrs, protocols) = (shared.host.observe(), shared.host.observe());
        Self {
            shared,
            outbox: Outbox::default(),
            asked: BTreeMap::new(),
            pushing: FuturesUnordered::new(),
            addrs,
            protocols,
            _stop: stop,
        }
    }

    async fn work(mut self, mut context: ServiceContext) {
        let mut peers = context.host.membership();
        // What the node has when it starts is no change.
        let (_, _) = (self.addrs.now(), self.protocols.now());
        loop {
            let due = self.outbox.deadline();
            let timer = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = context.shutdown.requested() => return,
                state = peers.next() => match state {
                    Some(state) => self.peer_changed(&state, &*context.tasks),
                    None => return,
                },
                Some(_) = self.addrs.changed() => self.outbox.changed(now()),
                Some(_) = self.protocols.changed() => self.outbox.changed(now()),
                Some(peer) = self.pushing.next() => self.outbox.done(peer),
                () = timer => {}
            }
            self.push();
        }
    }

    fn peer_changed(&mut self, state: &PeerState, tasks: &dyn Spawn) {
        let peer = state.peer;
        if !state.is_connected() {
            self.asked.remove(&peer);
            return self.outbox.gone(&peer);
        }
        let known = self.asked.entry(peer).or_default();
        let here: BTreeSet<_> = state.connections.iter().map(|connection| connection.id).collect();
        for id in here.difference(known) {
            tasks.spawn("identify", identify(self.shared.clone(), peer, *id).boxed());
        }
        *known = here;
        let speaks = state.protocols.iter().flat_map(|list| list.iter());
        let speaks = speaks
            .into_iter()
            .any(|protocol| *protocol == crate::PUSH_PROTOCOL);
        self.outbox.connected(peer, speaks);
    }

    /// Begins to tell those whose turn it is.
    fn push(&mut self) {
        while let Some(peer) = self.outbox.next(now()) {
            self.pushing.push(push(self.shared.clone(), peer).boxed());
        }
    }
}

impl Service for Identifying {
    fn name(&self) -> &'static str {
        "identify"
    }

    fn run(self: Box<Self>, context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        self.work(context).map(Ok).boxed()
    }
}

/// Asks on a new connection. The handle is kept for as long as that takes and no longer, so that the connection may idle.
async fn identify(shared: Arc<Shared>, peer: PeerId, id: ConnectionId) {
    let Some(connection) = shared.host.connection_by_id(&peer, id) else {
        return;
    };
    if let Some(Err(error)) = shared.while_running(shared.identify(&connection)).await {
        tracing::debug!(connection = %id, %peer, %error, "not identified");
    }
}

/// Tells one peer of what changed, over the connection it is used over.
async fn push(shared: Arc<Shared>, peer: PeerId) -> PeerId {
    if let Some(connection) = shared.host.connection(&peer) {
        let statement = shared.statement(connection.info());
        if let Err(failure) = exchange::push(&connection, statement, shared.timeout).await {
            let error = failure.of(peer, shared.timeout);
            tracing::debug!(%peer, %error, "a push did not arrive");
        }
    }
    peer
}
