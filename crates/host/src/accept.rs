//! Listeners: accept, gate, give a pending place, hand over. Never a handshake.

use crate::{
    addresses::Addresses,
    limits::Place,
    machine::source::{Source, Visitor},
    places,
    shared::{OpenListener, Shared},
    upgrade::{Stage, Upgrade},
};
use multiaddr::Multiaddr;
use sinew_core::{
    ConnectionEvent, Incoming, Layer, ListenAddrs, ListenError, ListenEvent, Listener, ListenerEvent,
    Refusal, Role, Transport, TransportError, UpgradeError, Verdict,
};
use sinew_machine::Direction;
use sinew_runtime::{now, sleep};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// How often a pending connection is looked at once the place is wanted by others.
const LOOK: Duration = Duration::from_secs(1);

/// Opens a listener and starts its task.
pub(crate) async fn listen(shared: &Arc<Shared>, addr: Multiaddr) -> Result<Vec<Multiaddr>, ListenError> {
    let parts = shared.running().ok_or(ListenError::NotRunning)?;
    let found = parts.transports.iter().find(|transport| transport.handles(&addr));
    let transport = found.ok_or_else(|| ListenError::NoTransport(addr.clone()))?;
    let opened = transport.listen(&addr).await;
    let listener = opened.map_err(|error| ListenError::Transport {
        addr: addr.clone(),
        error,
    })?;
    let addrs = listener.addresses();
    let (stop, stopped) = oneshot::channel();
    // A second listener on one address (port 0, say) is kept beside the first under its real address.
    let key = addrs
        .first()
        .filter(|_| shared.listeners().contains_key(&addr))
        .cloned()
        .unwrap_or(addr);
    shared.listeners().insert(
        key.clone(),
        OpenListener {
            addrs: addrs.clone(),
            _stop: stop,
        },
    );
    addrs
        .iter()
        .for_each(|addr| shared.bus.publish(|| ListenEvent::AddressAdded(addr.clone())));
    announce(shared);
    // The node may have ended while the transport was busy; nobody else would take the listener away.
    if shared.running().is_none() {
        stop_listening(shared, &key);
        return Err(ListenError::NotRunning);
    }
    let task = Task {
        shared: shared.clone(),
        key,
        transport: transport.clone(),
        listener,
    };
    shared.accepting.spawn("listener", async move {
        tokio::select! {
            () = task.run() => {}
            _ = stopped => {}
        }
    });
    Ok(addrs)
}

/// Stops a listener.
pub(crate) fn stop_listening(shared: &Shared, addr: &Multiaddr) -> bool {
    let Some(listener) = shared.listeners().remove(addr) else {
        return false;
    };
    for addr in &listener.addrs {
        shared.bus.publish(|| ListenEvent::AddressRemoved(addr.clone()));
    }
    announce(shared);
    true
}

/// Stops every listener.
pub(crate) fn stop_all(shared: &Shared) {
    let open: Vec<_> = shared.listeners().keys().cloned().collect();
    for addr in &open {
        stop_listening(shared, addr);
    }
}

/// Tells which addresses the node listens on.
fn announce(shared: &Shared) {
    shared.bus.update(|ListenAddrs(known)| {
        // Looked up while the fact is held: of two changes at once, the newer is told last.
        let addrs = shared.listen_addrs();
        let changed = **known != addrs[..];
        *known = addrs.into();
        changed
    });
    Addresses::publish(shared);
}

struct Task {
    shared: Arc<Shared>,
    key: Multiaddr,
    transport: Arc<dyn Transport>,
    listener: Box<dyn Listener>,
}

impl Task {
    async fn run(mut self) {
        loop {
            match self.listener.next().await {
                ListenerEvent::Incoming(incoming) => take(&self.shared, &self.transport, incoming),
                ListenerEvent::AddressAdded(addr) => self.added(addr),
                ListenerEvent::AddressRemoved(addr) => self.removed(&addr),
                ListenerEvent::Failed(error) => {
                    tracing::warn!(listener = %self.key, %error, "accepting failed");
                    self.shared
                        .bus
                        .publish(|| ListenEvent::Failed(self.key.clone(), Arc::new(error)));
                }
                ListenerEvent::Closed(error) => return self.closed(error),
                _ => {}
            }
        }
    }

    fn added(&self, addr: Multiaddr) {
        if let Some(open) = self.shared.listeners().get_mut(&self.key) {
            open.addrs.push(addr.clone());
        }
        announce(&self.shared);
        self.shared.bus.publish(|| ListenEvent::AddressAdded(addr));
    }

    fn removed(&self, addr: &Multiaddr) {
        if let Some(open) = self.shared.listeners().get_mut(&self.key) {
            open.addrs.retain(|known| known != addr);
        }
        announce(&self.shared);
        self.shared
            .bus
            .publish(|| ListenEvent::AddressRemoved(addr.clone()));
    }

    fn closed(self, error: TransportError) {
        tracing::error!(listener = %self.key, %error, "a listener ended");
        stop_listening(&self.shared, &self.key);
        self.shared
            .bus
            .publish(|| ListenEvent::Closed(self.key.clone(), Arc::new(error)));
    }
}

/// Decides what is known at once, and gives the connection a place and a task.
fn take(shared: &Arc<Shared>, transport: &Arc<dyn Transport>, incoming: Box<dyn Incoming>) {
    let parts = shared.parts();
    let verdict = parts.gates.on_accept(incoming.local(), incoming.remote());
    if verdict == Verdict::Deny {
        failed(
            shared,
            incoming.local(),
            incoming.remote(),
            UpgradeError::Gated(Layer::Transport),
        );
        return incoming.refuse(Refusal::Ignore);
    }
    let visitor = Visitor {
        source: Source::of(incoming.remote()),
        exempt: verdict == Verdict::Exempt,
    };
    // Forged addresses take half of the places at most, and of what their owners may take: from there on, who wants a
    // place proves its address.
    let validated = incoming.is_validated();
    let paced = places::paced(shared, &visitor, validated);
    if !validated && (paced.is_err() || shared.pending().is_crowded()) {
        return incoming.refuse(Refusal::Retry);
    }
    let room = paced.and_then(|()| places::admits(shared, &visitor));
    let place = match room.and_then(|()| shared.place(transport.descriptors())) {
        Ok(place) => place,
        Err(refused) => {
            failed(shared, incoming.local(), incoming.remote(), refused.into());
            return incoming.refuse(Refusal::Reject);
        }
    };
    let (evict, evicted) = oneshot::channel();
    let (id, _evicted_now) = shared.pending().enter(visitor, evict);
    let waiting = Waiting {
        shared: shared.clone(),
        id,
    };
    shared.accepting.spawn(
        "upgrade",
        run((waiting, place), transport.name(), incoming, evicted),
    );
}

/// A place among the pending connections; dropping it frees it.
struct Waiting {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.pending().leave(self.id);
    }
}

async fn run(
    (waiting, place): (Waiting, Place),
    transport: &'static str,
    incoming: Box<dyn Incoming>,
    evicted: oneshot::Receiver<()>,
) {
    let shared = waiting.shared.clone();
    let (local, remote) = (incoming.local().clone(), incoming.remote().clone());
    let started = now();
    let stage = Arc::new(Stage::default());
    let upgrade = Upgrade {
        shared: shared.clone(),
        direction: Direction::Inbound,
        role: Role::Listener,
        expected: None,
        hidden: false,
        transport,
        place,
        stage: stage.clone(),
        within: shared.parts().timeouts.inbound,
    };
    let upgraded = async {
        let link = incoming.finish(upgrade.place.scope().clone()).await?;
        upgrade.run(link).await
    };
    let upgraded = tokio::select! {
        upgraded = upgraded => upgraded,
        after = deadline(&shared, &stage) => Err(UpgradeError::Timeout { layer: stage.layer(), after }),
        _ = evicted => Err(UpgradeError::Evicted),
    };
    let outcome = upgraded.and_then(|upgraded| upgrade.establish(upgraded));
    let meter = &shared.parts().meter;
    meter.accepted(transport, now() - started, outcome.as_ref().map(drop));
    if let Err(error) = outcome {
        failed(&shared, &local, &remote, error);
    }
}

/// Done when a pending connection has had its time, and says how much it was.
async fn deadline(shared: &Shared, stage: &Stage) -> Duration {
    let (started, timeouts) = (now(), &shared.parts().timeouts);
    let deadlines = [timeouts.inbound, timeouts.inbound_crowded, timeouts.inbound_first];
    let mut next = deadlines.into_iter().min().unwrap_or_default();
    loop {
        sleep(next).await;
        let elapsed = now() - started;
        let begun = !matches!(stage.layer(), Layer::Transport | Layer::SecurityNegotiation);
        let crowded = elapsed >= timeouts.inbound_crowded && shared.pending().is_crowded();
        let silent = elapsed >= timeouts.inbound_first && !begun;
        if crowded || silent || elapsed >= timeouts.inbound {
            return elapsed;
        }
        let ahead = deadlines.into_iter().filter(|deadline| *deadline > elapsed);
        next = ahead.map(|deadline| deadline - elapsed).fold(LOOK, Duration::min);
    }
}

fn failed(shared: &Shared, local: &Multiaddr, remote: &Multiaddr, error: UpgradeError) {
    tracing::debug!(%local, %remote, %error, "inbound connection failed");
    shared.bus.publish(|| ConnectionEvent::InboundFailed {
        local: local.clone(),
        remote: remote.clone(),
        error: Arc::new(error),
    });
}
