//! Contacts: who dials whom, and the connections that come of it.
//!
//! ```text
//!          dialled, both are up and reach each other
//!   down ---------------------------------------------> up
//!    ^                                                   |
//!    +---------------------------------------------------+
//!      lost by chance, or noticed that the other is gone
//! ```

use super::{Event, Network, Node, World, within};
use sinew_machine::{Input, PeerMachine, PeerState};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// Latencies until a connection can be used: three round trips, for TCP, security and the muxer.
const HANDSHAKE: u32 = 6;

/// Latencies until a peer has said what it speaks.
const IDENTIFY: u32 = 2;

/// Two nodes of which one dials the other.
pub(super) struct Edge {
    /// The dialler first.
    nodes: [usize; 2],
    pub(super) latency: Duration,
    pub(super) is_up: bool,
    is_dialled: bool,
    /// How often it came up.
    epoch: u32,
    /// The streams that have not ended.
    pub(super) streams: Vec<usize>,
}

impl<M> Node<M> {
    fn state_of(&self, ips: Arc<[IpAddr]>, is_dialler: bool) -> PeerState {
        PeerState {
            peer: self.peer,
            connected: true,
            speaks: false,
            outbound: is_dialler,
            ips,
        }
    }
}

impl<M: PeerMachine, W: World<M>> Network<M, W> {
    /// Whenever a node is up it keeps a connection to a contact; nothing if the two are contacts already.
    pub(crate) fn contact(&mut self, dialler: usize, other: usize, latency: Duration) {
        if dialler == other || self.nodes[dialler].edges.contains_key(&other) {
            return;
        }
        self.nodes[dialler].edges.insert(other, self.edges.len());
        self.nodes[other].edges.insert(dialler, self.edges.len());
        self.edges.push(Edge {
            nodes: [dialler, other],
            latency,
            is_up: false,
            is_dialled: false,
            epoch: 0,
            streams: Vec::new(),
        });
    }

    /// The nodes that a node is connected to, as far as it knows.
    pub(crate) fn neighbours(&self, node: usize) -> impl Iterator<Item = usize> {
        let edges = self.nodes[node].edges.iter();
        edges
            .filter(|(_, edge)| self.edges[**edge].is_up)
            .map(|(other, _)| *other)
    }

    /// Nothing is left of the connections that a node had before it was stopped.
    pub(super) fn lose_all(&mut self, node: usize) {
        self.edges_of(node).into_iter().for_each(|edge| self.lose(edge));
    }

    /// Dials the contacts of a node that starts.
    pub(super) fn dial_all(&mut self, node: usize) {
        for edge in self.edges_of(node) {
            if self.edges[edge].nodes[0] == node {
                self.plan_dial(edge, self.edges[edge].latency * HANDSHAKE);
            }
        }
    }

    /// Some neighbours of a node do not hear of it any more, and notice it after a while.
    pub(super) fn forsake(&mut self, node: usize, is_lost: impl Fn(&Self, usize) -> bool) {
        for edge in self.edges_of(node) {
            let [dialler, other] = self.edges[edge].nodes;
            if self.edges[edge].is_up && is_lost(self, dialler + other - node) {
                let epoch = self.edges[edge].epoch;
                self.plan(self.dialling.notice, Event::Lost { edge, epoch });
            }
        }
    }

    fn edges_of(&self, node: usize) -> Vec<usize> {
        self.nodes[node].edges.values().copied().collect()
    }

    fn plan_dial(&mut self, edge: usize, after: Duration) {
        if !std::mem::replace(&mut self.edges[edge].is_dialled, true) {
            self.plan(after, Event::Dial(edge));
        }
    }

    /// Whether what one end sends arrives at the other.
    pub(super) fn is_passable(&self, edge: usize) -> bool {
        let [a, b] = self.edges[edge].nodes.map(|node| &self.nodes[node]);
        a.machine.is_some() && b.machine.is_some() && a.side == b.side
    }

    pub(super) fn dial(&mut self, edge: usize) {
        self.edges[edge].is_dialled = false;
        let dialler = self.edges[edge].nodes[0];
        // A node that is down dials when it starts.
        if self.edges[edge].is_up || self.nodes[dialler].machine.is_none() {
            return;
        }
        if !self.is_passable(edge) {
            return self.plan_dial(edge, self.dialling.redial);
        }
        let state = &mut self.edges[edge];
        state.is_up = true;
        state.epoch += 1;
        let epoch = state.epoch;
        self.plan(
            self.edges[edge].latency * IDENTIFY,
            Event::Identified { edge, epoch },
        );
        if let Some(lasts) = self.dialling.lasts {
            let lasts = within(&mut self.rng, lasts * 2);
            self.plan(lasts, Event::Lost { edge, epoch });
        }
        self.tell(edge, |_, _, state| state);
    }

    pub(super) fn identified(&mut self, edge: usize, epoch: u32) {
        if self.edges[edge].is_up && self.edges[edge].epoch == epoch {
            self.tell(edge, |network, [node, other], state| PeerState {
                speaks: network.world.agree(node, other).is_some(),
                ..state
            });
        }
    }

    pub(super) fn lost(&mut self, edge: usize, epoch: u32) {
        if self.edges[edge].epoch == epoch {
            self.lose(edge);
        }
    }

    fn lose(&mut self, edge: usize) {
        if !std::mem::take(&mut self.edges[edge].is_up) {
            return;
        }
        self.close_all(edge);
        self.tell(edge, |_, _, state| PeerState {
            connected: false,
            outbound: false,
            ips: Arc::default(),
            ..state
        });
        self.plan_dial(edge, self.dialling.redial);
    }

    /// Tells both ends how the other is now.
    fn tell(&mut self, edge: usize, change: impl Fn(&Self, [usize; 2], PeerState) -> PeerState) {
        let [dialler, other] = self.edges[edge].nodes;
        for (node, about) in [(dialler, other), (other, dialler)] {
            let known = &self.nodes[about];
            let state = known.state_of(known.ips.clone(), node == dialler);
            let state = change(self, [node, about], state);
            self.trace.word(about as u64);
            self.input(node, Input::Peer(state));
        }
    }
}
