//! All gaters of a host as one, and what follows when one changes its mind.

use crate::shared::Shared;
use multiaddr::Multiaddr;
use sinew_core::{ConnectionGater, ConnectionInfo, Verdict};
use sinew_identity::PeerId;
use sinew_machine::{Direction, code};
use std::sync::Arc;
use tokio::sync::watch;

/// Several gaters: one that denies is enough, and one that exempts, if none denies.
#[derive(Default, Debug)]
pub(crate) struct Gates(Vec<Arc<dyn ConnectionGater>>);

impl Gates {
    pub(crate) fn add(&mut self, gater: impl ConnectionGater) {
        self.0.push(Arc::new(gater));
    }

    fn ask(&self, question: impl Fn(&dyn ConnectionGater) -> Verdict) -> Verdict {
        let mut verdict = Verdict::Allow;
        for gater in &self.0 {
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
}

/// Asks the gaters again about every connection whenever one of them changes its mind.
pub(crate) fn follow(shared: &Arc<Shared>) {
    for changes in shared.parts().gates.0.iter().filter_map(|gater| gater.changes()) {
        shared
            .accepting
            .spawn("gater changes", ask_again(shared.clone(), changes));
    }
}

async fn ask_again(shared: Arc<Shared>, mut changes: watch::Receiver<()>) {
    while changes.changed().await.is_ok() {
        for entry in shared.table.all() {
            if shared.parts().gates.on_established(&entry.info) == Verdict::Deny {
                tracing::debug!(connection = %entry.info.id, peer = %entry.info.peer, "denied from now on");
                entry.close(code::connection::GATED);
            }
        }
    }
}
