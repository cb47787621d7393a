//! All gaters of a host as one, and what follows when one changes its mind.

use crate::shared::Shared;
use multiaddr::Multiaddr;
use sinew_core::{ConnectionGater, ConnectionInfo, Verdict};
use sinew_identity::PeerId;
use sinew_machine::{Direction, code};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// Several gaters: one that denies is enough, and one that exempts, if none denies.
#[derive(Default, Debug)]
pub(crate) struct Gates {
    gaters: Vec<Arc<dyn ConnectionGater>>,
    changes: AtomicU64,
}

impl Gates {
    pub(crate) fn add(&mut self, gater: impl ConnectionGater) {
        self.gaters.push(Arc::new(gater));
    }

    fn ask(&self, question: impl Fn(&dyn ConnectionGater) -> Verdict) -> Verdict {
        let mut verdict = Verdict::Allow;
        for gater in &self.gaters {
            match question(&**gater) {
                Verdict::Deny => return Verdict::Deny,
                Verdict::Exempt => verdict = Verdict::Exempt,
                Verdict::Allow => {}
            }
        }
        verdict
    }

    pub(crate) fn on_dial(&self, peer: Option<&PeerId>, addr: &Multiaddr) -> Verdict {
        self.ask(|gater| gater.on_dial(peer, addr))
    }

    pub(crate) fn on_accept(&self, local: &Multiaddr, remote: &Multiaddr) -> Verdict {
        self.ask(|gater| gater.on_accept(local, remote))
    }

    pub(crate) fn on_secured(&self, direction: Direction, peer: &PeerId, remote: &Multiaddr) -> Verdict {
        self.ask(|gater| gater.on_secured(direction, peer, remote))
    }

    pub(crate) fn on_established(&self, connection: &ConnectionInfo) -> Verdict {
        self.ask(|gater| gater.on_established(connection))
    }

    /// How often a gater has changed its mind. Who asked before a change and came into the table after it, asks again.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}

/// Asks the gaters again about every connection whenever one of them changes its mind.
pub(crate) fn follow(shared: &Arc<Shared>) {
    for changes in shared
        .parts()
        .gates
        .gaters
        .iter()
        .filter_map(|gater| gater.changes())
    {
        shared
            .accepting
            .spawn("gater changes", ask_again(shared.clone(), changes));
    }
}

async fn ask_again(shared: Arc<Shared>, mut changes: watch::Receiver<()>) {
    while changes.changed().await.is_ok() {
        // Before the table is looked at: whoever is not in it yet sees this after it came in.
        shared.parts().gates.changes.fetch_add(1, Ordering::SeqCst);
        for entry in shared.table.all() {
            if shared.parts().gates.on_established(&entry.info) == Verdict::Deny {
                tracing::debug!(connection = %entry.info.id, peer = %entry.info.peer, "denied from now on");
                entry.close(code::connection::GATED);
            }
        }
    }
}
