//! What peers are to us, told to whoever has to close connections: the meshes that they are in, and what they brought.

use super::Effects;
use sinew_identity::PeerId;
use sinew_machine::{Effect, Instant, Weight};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What each mesh that a peer is in is worth: the number that go-libp2p documents. It protects them instead, so that a few
/// strangers who graft themselves can hold every connection.
const MESH: u32 = 20;

/// Messages that count at most: as in go-libp2p, there for each topic.
const MAX_DELIVERIES: u32 = 15;

/// How often one of them is forgotten: as in go-libp2p.
const DECAY: Duration = Duration::from_secs(600);

/// Under which tags it is told.
const MESH_TAG: &str = "gossipsub mesh";
const DELIVERIES_TAG: &str = "gossipsub deliveries";
const EXPLICIT_TAG: &str = "gossipsub explicit";

/// What the peers that take frames are to us.
#[derive(Default, Debug)]
pub(super) struct Roles {
    peers: BTreeMap<PeerId, Role>,
    /// Those of which something is to be told.
    changed: BTreeSet<PeerId>,
    next_decay: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Role {
    /// Whether it takes frames.
    connected: bool,
    explicit: bool,
    meshes: u32,
    deliveries: u32,
    told: Told,
}

/// What was told of a peer.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Told {
    explicit: bool,
    mesh: u32,
    deliveries: u32,
}

impl Roles {
    /// A peer takes frames from now on.
    pub(super) fn connected(&mut self, peer: PeerId, explicit: bool) {
        let role = self.change(peer);
        (role.connected, role.explicit) = (true, explicit);
    }

    /// A peer takes no more frames, and is in no mesh. An explicit one stays protected: it is wanted back.
    pub(super) fn disconnected(&mut self, peer: PeerId) {
        let role = self.change(peer);
        let told = role.told;
        *role = Role {
            told,
            ..Role::default()
        };
    }

    pub(super) fn grafted(&mut self, peer: PeerId) {
        self.change(peer).meshes += 1;
    }

    pub(super) fn pruned(&mut self, peer: PeerId) {
        let role = self.change(peer);
        role.meshes = role.meshes.saturating_sub(1);
    }

    /// A peer brought a message, first or while it was validated.
    pub(super) fn delivered(&mut self, peer: PeerId) {
        let counts = |role: &Role| role.connected && role.deliveries < MAX_DELIVERIES;
        if self.peers.get(&peer).is_some_and(counts) {
            self.change(peer).deliveries += 1;
        }
    }

    fn change(&mut self, peer: PeerId) -> &mut Role {
        self.changed.insert(peer);
        self.peers.entry(peer).or_default()
    }

    /// Lets messages fade, each interval once.
    pub(super) fn decay(&mut self, now: Instant) {
        let due = *self.next_decay.get_or_insert(now + DECAY);
        if due > now {
            return;
        }
        self.next_decay = Some(now + DECAY);
        for (peer, role) in self.peers.iter_mut().filter(|(_, role)| role.deliveries > 0) {
            role.deliveries -= 1;
            self.changed.insert(*peer);
        }
    }

    /// Tells what has changed, of each peer once.
    pub(super) fn tell(&mut self, out: &mut Effects) {
        for peer in std::mem::take(&mut self.changed) {
            let Some(role) = self.peers.get_mut(&peer) else {
                continue;
            };
            let mut keep = |tag, weight| out.push(Effect::Keep { peer, tag, weight });
            let now = Told {
                explicit: role.explicit,
                mesh: role.meshes * MESH,
                deliveries: role.deliveries,
            };
            if now.explicit && !role.told.explicit {
                keep(EXPLICIT_TAG, Weight::Protect);
            }
            if now.mesh != role.told.mesh {
                keep(MESH_TAG, weight(now.mesh));
            }
            if now.deliveries != role.told.deliveries {
                keep(DELIVERIES_TAG, weight(now.deliveries));
            }
            role.told = now;
            if !role.connected && role.meshes == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

fn weight(value: u32) -> Weight {
    if value == 0 {
        Weight::None
    } else {
        Weight::Some(value)
    }
}
