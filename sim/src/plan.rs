//! A scenario made concrete by a seed: who does what, who knows whom, and what happens when.

use crate::{
    message::peer,
    network::within,
    scenario::{Behaviour, Scenario},
};
use sinew_identity::PeerId;
use sinew_machine::{Instant, Rng};
use std::{net::Ipv4Addr, time::Duration};

/// All nodes start within this time, so that their heartbeats do not come at once.
const START: Duration = Duration::from_secs(1);

/// A scenario made concrete.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The nodes.
    pub(crate) nodes: Vec<Planned>,
    /// Who dials whom, and the latency between them.
    pub(crate) contacts: Vec<(usize, usize, Duration)>,
    /// What happens, in order of time.
    pub(crate) actions: Vec<(Instant, Action)>,
}

/// A node.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Its name.
    pub(crate) peer: PeerId,
    /// What it does.
    pub(crate) behaviour: Behaviour,
    /// The time between two attacks.
    pub(crate) every: Duration,
    /// Its address.
    pub(crate) ip: Ipv4Addr,
    /// The rate of its way out, in bits a second.
    pub(crate) rate: u64,
    /// Whether it is on the other side of the partition.
    pub(crate) is_apart: bool,
    /// Whether it comes and goes.
    pub(crate) is_fickle: bool,
    dials: usize,
    from: Duration,
    latency: Duration,
}

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Action {
    /// The network becomes two.
    Part,
    /// The network becomes one.
    Join,
    /// A node starts.
    Start(usize),
    /// A node stops.
    Stop(usize),
    /// A message is published.
    Publish,
    /// The meshes are looked at.
    Look,
}

impl Plan {
    /// Makes a scenario concrete.
    #[must_use]
    pub(crate) fn new(scenario: &Scenario, rng: &mut Rng) -> Self {
        let mut nodes = nodes(scenario, rng);
        groups(scenario, &mut nodes, rng);
        let contacts = contacts(scenario, &nodes, rng);
        let mut actions = lives(scenario, &nodes, rng);
        actions.extend(published(scenario).map(|at| (at, Action::Publish)));
        if let Some(partition) = &scenario.partition {
            actions.push((moment(partition.from_ms), Action::Part));
            actions.push((moment(partition.to_ms), Action::Join));
        }
        let seconds = 1..=scenario.over().as_secs();
        actions.extend(seconds.map(|second| (Instant::ZERO + Duration::from_secs(second), Action::Look)));
        actions.sort();
        Self {
            nodes,
            contacts,
            actions,
        }
    }

    /// The nodes that may publish: honest ones that stay.
    pub(crate) fn authors(&self) -> impl Iterator<Item = usize> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.behaviour.is_honest() && !node.is_fickle)
            .map(|(place, _)| place)
    }
}

/// So long after the beginning.
pub(crate) fn moment(ms: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

/// How many of all nodes a share is.
fn count(share: f64, nodes: usize) -> usize {
    (share * nodes as f64).round() as usize
}

fn published(scenario: &Scenario) -> impl Iterator<Item = Instant> {
    let publish = &scenario.publish;
    (0..publish.messages as u64).map(|number| moment(publish.first_ms + number * publish.every_ms))
}

/// Nodes without groups. Each has an address of its own.
fn nodes(scenario: &Scenario, rng: &mut Rng) -> Vec<Planned> {
    let node = |place: usize| Planned {
        peer: peer(rng, place),
        behaviour: scenario.behaviour,
        every: Duration::ZERO,
        ip: Ipv4Addr::from_bits(0x0a00_0000 + place as u32),
        rate: scenario.network.uplink_kbit * 1000,
        is_apart: false,
        is_fickle: false,
        dials: scenario.network.dials,
        from: Duration::ZERO,
        latency: Duration::ZERO,
    };
    (0..scenario.nodes).map(node).collect()
}

/// Groups and those who come and go exclude each other; regions and sides go across them.
fn groups(scenario: &Scenario, nodes: &mut [Planned], rng: &mut Rng) {
    let total = nodes.len();
    let mut order: Vec<_> = (0..total).collect();
    rng.shuffle(&mut order);
    for group in &scenario.group {
        for (index, place) in order.drain(..count(group.share, total)).enumerate() {
            let node = &mut nodes[place];
            node.behaviour = group.behaviour;
            node.dials = group.dials.unwrap_or(node.dials);
            (node.every, node.from) = (millis(group.every_ms), millis(group.from_ms));
            if let Some(addresses) = group.addresses {
                node.ip = Ipv4Addr::from_bits(0xc000_0200 + (index % addresses.max(1)) as u32);
            }
        }
    }
    let fickle = scenario
        .churn
        .as_ref()
        .map_or(0, |churn| count(churn.share, total));
    for place in order.drain(..fickle) {
        nodes[place].is_fickle = true;
    }
    let mut order: Vec<_> = (0..total).collect();
    rng.shuffle(&mut order);
    for region in &scenario.region {
        for place in order.drain(..count(region.share, total)) {
            nodes[place].latency = millis(region.latency_ms);
            nodes[place].rate = region.uplink_kbit * 1000;
        }
    }
    let apart = scenario
        .partition
        .as_ref()
        .map_or(0, |partition| count(partition.share, total));
    let mut order: Vec<_> = (0..total).collect();
    rng.shuffle(&mut order);
    for place in order.drain(..apart) {
        nodes[place].is_apart = true;
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Everybody dials some that are no attackers.
fn contacts(scenario: &Scenario, nodes: &[Planned], rng: &mut Rng) -> Vec<(usize, usize, Duration)> {
    let dialled: Vec<_> = (0..nodes.len())
        .filter(|place| !nodes[*place].behaviour.is_attack())
        .collect();
    let [least, most] = scenario.network.latency_ms.map(millis);
    let mut contacts = Vec::new();
    for (place, node) in nodes.iter().enumerate() {
        for _ in 0..node.dials.min(dialled.len()) {
            let other = dialled[rng.below(dialled.len())];
            let latency = least + within(rng, most - least) + node.latency + nodes[other].latency;
            contacts.push((place, other, latency));
        }
    }
    contacts
}

fn lives(scenario: &Scenario, nodes: &[Planned], rng: &mut Rng) -> Vec<(Instant, Action)> {
    // Then the network comes to rest.
    let over = Instant::ZERO + scenario.published();
    let mut actions = Vec::new();
    for (place, node) in nodes.iter().enumerate() {
        let mut at = Instant::ZERO + node.from + within(rng, START);
        actions.push((at, Action::Start(place)));
        let Some(churn) = scenario.churn.as_ref().filter(|_| node.is_fickle) else {
            continue;
        };
        loop {
            at = at + within(rng, millis(churn.up_ms * 2));
            if at >= over {
                break;
            }
            actions.push((at, Action::Stop(place)));
            at = at + within(rng, millis(churn.down_ms * 2));
            if at >= over {
                break;
            }
            actions.push((at, Action::Start(place)));
        }
    }
    actions
}
