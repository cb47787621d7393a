//! Runs a scenario.

use crate::{
    actor::Actor,
    attacker::Attacker,
    books::{Books, Published},
    check::{failures, one_sided},
    message::{message, place},
    network::{Dialling, Network},
    plan::{Action, Plan},
    report::{Counted, Report},
    scenario::{Behaviour, Scenario},
    score::params,
};
use sinew_floodsub::{self as floodsub, MessageId, SignaturePolicy, Topic};
use sinew_gossipsub::{Command, Counts, Machine, MessageIdFn, Params, Reply};
use sinew_machine::{Instant, Rng};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How long before the end meshes are looked at as well: what is so then and at the end was not just about to change.
const BEFORE: Duration = Duration::from_secs(2);

/// A run, as it goes on.
pub(crate) struct Run<'a> {
    /// What is run.
    pub(crate) scenario: &'a Scenario,
    /// What the seed made of it.
    pub(crate) plan: Plan,
    /// The nodes.
    pub(crate) network: Network<Actor, Books>,
    /// When each node was up; the last time may last.
    pub(crate) lives: Vec<Vec<(Instant, Instant)>>,
    /// What the machines of honest nodes counted until now.
    pub(crate) counted: Counted,
    /// When an attacker was last in the mesh of an honest node.
    pub(crate) invaded: Option<Instant>,
    /// How many scores of honest nodes were negative that honest nodes gave, when the last message was published.
    pub(crate) misjudged: u64,
    topic: Topic,
    params: Params,
    message_id: MessageIdFn,
    rng: Rng,
}

/// Runs a scenario; the same seed gives the same report. `tick` is told the virtual time now and then.
pub fn run(scenario: &Scenario, seed: u64, mut tick: impl FnMut(Duration)) -> Report {
    let mut run = Run::new(scenario, seed);
    for (at, action) in std::mem::take(&mut run.plan.actions) {
        run.network.run_until(at);
        run.act(action);
        tick(at - Instant::ZERO);
    }
    run.network.run_until(Instant::ZERO + (scenario.over() - BEFORE));
    let before = one_sided(&mut run);
    run.network.run_until(Instant::ZERO + scenario.over());
    (0..run.plan.nodes.len()).for_each(|node| run.count(node));
    let failures = failures(&mut run, &before);
    Report::new(&mut run, seed, failures)
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(scenario, &mut rng);
        let behaviours = plan.nodes.iter().map(|node| node.behaviour).collect();
        let books = Books::new(behaviours, Duration::from_micros(scenario.publish.verify_us));
        let links = &scenario.network;
        let dialling = Dialling {
            redial: Duration::from_millis(links.redial_ms),
            notice: Duration::from_millis(links.notice_ms),
            lasts: links.lasts_ms.map(Duration::from_millis),
        };
        let mut network = Network::new(books, dialling, rng.next_u64());
        for node in &plan.nodes {
            network.add(node.peer, node.ip, node.rate);
        }
        for (dialler, other, latency) in &plan.contacts {
            network.contact(*dialler, *other, *latency);
        }
        let topic = Topic::new("simulation").expect("short");
        Self {
            scenario,
            lives: vec![Vec::new(); plan.nodes.len()],
            counted: Counted::default(),
            invaded: None,
            misjudged: 0,
            params: params(scenario, &topic),
            message_id: Arc::new(MessageId::of),
            plan,
            network,
            topic,
            rng,
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Part => self.part(1),
            Action::Join => self.part(0),
            Action::Start(node) => self.start(node),
            Action::Stop(node) => self.stop(node),
            Action::Publish => self.publish(),
            Action::Look => self.look(),
        }
    }

    fn part(&mut self, side: usize) {
        for node in 0..self.plan.nodes.len() {
            if self.plan.nodes[node].is_apart {
                self.network.set_side(node, side);
            }
        }
    }

    fn start(&mut self, node: usize) {
        let now = self.network.now();
        self.network.world.start(now, node);
        let actor = self.actor(node);
        self.network.start(node, actor);
        let topics = BTreeSet::from([self.topic.clone()]);
        self.network.call(node, Command::Follow(topics));
        self.lives[node].push((now, Instant(u64::MAX)));
    }

    fn actor(&mut self, node: usize) -> Actor {
        let seed = self.rng.next_u64();
        let planned = &self.plan.nodes[node];
        let (peer, policy, message_id) = (planned.peer, SignaturePolicy::StrictSign, self.message_id.clone());
        match planned.behaviour {
            Behaviour::Gossipsub | Behaviour::Silent => {
                let machine = Machine::new(peer, policy, message_id, self.params.clone(), seed);
                Actor::Gossipsub(Box::new(machine))
            }
            Behaviour::Floodsub => {
                let machine = floodsub::Machine::new(peer, policy, message_id);
                Actor::Floodsub(Box::new(machine))
            }
            behaviour => {
                let attacker = Attacker::new(behaviour, peer, self.topic.clone(), planned.every, seed);
                Actor::Attacker(Box::new(attacker))
            }
        }
    }

    fn stop(&mut self, node: usize) {
        self.count(node);
        self.network.stop(node);
        if let Some((_, until)) = self.lives[node].last_mut() {
            *until = self.network.now();
        }
    }

    fn publish(&mut self) {
        let authors: Vec<_> = self.plan.authors().collect();
        let author = authors[self.rng.below(authors.len())];
        let tag = self.network.world.published.len();
        let at = self.network.now();
        self.network.world.publish(Published { at, author });
        let peer = self.plan.nodes[author].peer;
        let message = message(&peer, tag as u64, &self.topic, self.scenario.publish.bytes);
        self.network.call(author, Command::Publish(message));
        if tag + 1 == self.scenario.publish.messages {
            self.misjudged = (0..self.plan.nodes.len())
                .map(|node| self.misjudged_by(node))
                .sum();
        }
    }

    /// Notes whether an attacker is in the mesh of an honest node.
    fn look(&mut self) {
        let is_attack = |run: &Self, node: usize| run.plan.nodes[node].behaviour.is_attack();
        let nodes = 0..self.plan.nodes.len();
        if !nodes.clone().any(|node| is_attack(self, node)) {
            return;
        }
        for node in nodes {
            let is_honest = self.plan.nodes[node].behaviour.is_honest();
            if is_honest && self.mesh(node).into_iter().any(|other| is_attack(self, other)) {
                self.invaded = Some(self.network.now());
                return;
            }
        }
    }

    /// The mesh of a node; empty if it has none.
    pub(crate) fn mesh(&mut self, node: usize) -> Vec<usize> {
        match self.network.call(node, Command::Mesh(self.topic.clone())) {
            Some(Reply::Peers(peers)) => peers.iter().map(place).collect(),
            _ => Vec::new(),
        }
    }

    fn misjudged_by(&mut self, node: usize) -> u64 {
        if !self.plan.nodes[node].behaviour.is_honest() {
            return 0;
        }
        let Some(Reply::Scores(scores)) = self.network.call(node, Command::Scores) else {
            return 0;
        };
        let bad = scores.iter().filter(|(peer, score)| {
            let other = &self.plan.nodes[place(peer)];
            *score < 0.0 && other.behaviour.is_honest()
        });
        bad.count() as u64
    }

    /// Adds what the machine of an honest node counted.
    fn count(&mut self, node: usize) {
        if !self.plan.nodes[node].behaviour.is_honest() {
            return;
        }
        if let Some(Reply::Counts(counts)) = self.network.call(node, Command::Counts) {
            self.counted.add(&counts);
        }
    }

    /// How many peers a mesh should have at most.
    pub(crate) fn mesh_high(&self) -> usize {
        self.params.mesh.high
    }
}

impl Counted {
    fn add(&mut self, counts: &Counts) {
        self.duplicates += counts.duplicates;
        self.forged += counts.forged;
        self.dropped += counts.dropped;
        self.unsent += counts.unsent;
        self.withdrawn += counts.withdrawn;
        self.graylisted += counts.graylisted;
        self.broken_promises += counts.broken_promises;
        self.grafts += counts.grafts;
        self.prunes += counts.prunes;
    }
}
