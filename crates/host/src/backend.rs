//! What a `Host` handle calls.

use crate::{accept, addresses::Addresses, dial, machine::policy, shared::Shared, shutdown, streams, trim};
use async_trait::async_trait;
use multiaddr::Multiaddr;
use sinew_core::{
    Bus, Connection, ConnectionInfo, DialOptions, DialReport, DialTarget, HandlerError, HostBackend, Learned,
    Lifetime, ListenError, Membership, MuxError, OpenError, OpenOptions, Peerstore, Purpose, Registration,
    Resources, Source, Stream, Tag,
};
use sinew_identity::{PeerId, Signer};
use sinew_machine::{CloseCode, ConnectionId, ProtocolId};
use sinew_runtime::now;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// The implementation of [`HostBackend`].
pub(crate) struct Backend {
    pub(crate) shared: Arc<Shared>,
}

/// How long an address that a service learned is believed: go-libp2p's lifetime of an identified peer's address.
const LEARNED: Lifetime = Lifetime::For(Duration::from_secs(30 * 60));

/// Agents that take the end of a stream together with its opening, by real-peer tests.
const FINISH_EARLY_AGENTS: [&str; 2] = ["sinew/", "rust-libp2p/"];

#[async_trait]
impl HostBackend for Backend {
    fn signer(&self) -> &Arc<dyn Signer> {
        &self.shared.signer
    }

    fn bus(&self) -> &Bus {
        &self.shared.bus
    }

    fn peerstore(&self) -> &Arc<dyn Peerstore> {
        self.shared.peerstore()
    }

    async fn listen(&self, addr: Multiaddr) -> Result<Vec<Multiaddr>, ListenError> {
        accept::listen(&self.shared, addr).await
    }

    fn stop_listening(&self, addr: &Multiaddr) -> bool {
        accept::stop_listening(&self.shared, addr)
    }

    fn register(&self, registration: Registration) -> Result<(), HandlerError> {
        self.shared.registry.register(registration)?;
        self.shared.announce_protocols();
        Ok(())
    }

    fn unregister(&self, name: &ProtocolId) -> bool {
        let removed = self.shared.registry.unregister(name);
        self.shared.announce_protocols();
        removed
    }

    async fn dial(&self, target: DialTarget, options: DialOptions) -> DialReport {
        dial::dial(&self.shared, target, options).await
    }

    async fn open(
        &self,
        peer: PeerId,
        protocols: Vec<ProtocolId>,
        options: OpenOptions,
    ) -> Result<Stream, OpenError> {
        if let Some(entry) = self.shared.table.best(&peer, options.limited) {
            match streams::open(&self.shared, &entry, protocols.clone(), options.clone()).await {
                // It ended between the look-up and the opening: another one is in order.
                Err(
                    OpenError::NotConnected(_)
                    | OpenError::Muxer {
                        error: MuxError::Closed(_) | MuxError::Exhausted,
                        ..
                    },
                ) => {}
                opened => return opened,
            }
        }
        let purpose = if options.limited {
            Purpose::Use
        } else {
            Purpose::Direct
        };
        let wanted = DialOptions::default().purpose(purpose);
        let report = dial::dial(&self.shared, peer.into(), wanted).await;
        report.outcome?.open_with(protocols, options).await
    }

    fn connections(&self) -> Vec<Arc<ConnectionInfo>> {
        self.shared
            .table
            .all()
            .iter()
            .filter(|entry| !entry.standing.hidden)
            .map(|entry| entry.info.clone())
            .collect()
    }

    fn connection(&self, peer: &PeerId) -> Option<Connection> {
        self.shared.handle(&self.shared.table.best(peer, true)?)
    }

    fn connection_by_id(&self, peer: &PeerId, id: ConnectionId) -> Option<Connection> {
        self.shared.handle(&self.shared.table.find(peer, id)?)
    }

    fn disconnect(&self, peer: &PeerId, code: CloseCode) -> usize {
        let entries = self.shared.table.entries(peer);
        entries.iter().for_each(|entry| entry.close(code));
        entries.len()
    }

    fn protect(&self, peer: &PeerId, tag: &'static str, on: bool) {
        self.shared.table.protect(peer, tag, on);
    }

    fn tag(&self, peer: &PeerId, tag: Tag, change: &mut dyn FnMut(i32) -> i32) {
        self.shared.tags().upsert(now(), *peer, tag, change);
    }

    fn untag(&self, peer: &PeerId, name: &str) {
        self.shared.tags().remove(now(), peer, name);
    }

    fn worth(&self, peer: &PeerId) -> i64 {
        self.shared.tags().sum(now(), peer)
    }

    fn trim(&self) -> usize {
        trim::trim(&self.shared)
    }

    fn doubt(&self, peer: &PeerId, id: ConnectionId, doubtful: bool) {
        if let Some(entry) = self.shared.table.find(peer, id) {
            entry.doubt(doubtful);
        }
    }

    fn membership(&self) -> Membership {
        Membership::new(Box::new(self.shared.feeds.follow(self.shared.clone())))
    }

    fn learn(&self, peer: &PeerId, mut learned: Learned, source: Source) {
        let (shared, now) = (&self.shared, now());
        trust(shared, peer, &mut learned, source);
        shared.peerstore().add_addrs(peer, &learned.addrs, LEARNED, now);
        shared.peerstore().update(peer, &learned, now);
        if let Source::Identify(id) = source
            && let Some(entry) = shared.table.find(peer, id)
        {
            let known = |agent: &str| FINISH_EARLY_AGENTS.iter().any(|prefix| agent.starts_with(prefix));
            // A push may leave out what has not changed.
            if let Some(agent) = learned.agent.as_deref() {
                entry.finish_early.store(known(agent), Ordering::Relaxed);
            }
            if let Some(said) = &learned.observed {
                Addresses::observe(shared, &entry.info, said);
            }
        }
        if shared.table.contains(peer) {
            shared.feeds.changed(*peer, || shared.table.contains(peer));
        }
    }

    fn resources(&self) -> Resources {
        let running = self.shared.running();
        running.map_or_else(Resources::default, |parts| parts.system.snapshot())
    }

    fn judge_addr(&self, addr: Multiaddr, reachable: bool) {
        Addresses::judge(&self.shared, addr, reachable);
    }

    async fn shutdown(&self, grace: Duration) {
        shutdown::run(&self.shared, grace).await;
    }
}

/// Leaves out the addresses that whoever tells of them may not make this node dial.
fn trust(shared: &Shared, peer: &PeerId, learned: &mut Learned, source: Source) {
    let connection = match source {
        Source::Application => return,
        Source::Identify(id) => shared.table.find(peer, id),
        _ => None,
    };
    let from = connection.as_ref().map(|entry| &entry.info.remote);
    let policy = shared
        .running()
        .map(|parts| parts.address_policy)
        .unwrap_or_default();
    learned.addrs.retain(|addr| {
        let trusted = policy::may_tell(policy, from, addr);
        if !trusted {
            tracing::debug!(%peer, %addr, "not kept: it is not for this peer to say");
        }
        trusted
    });
}
