//! What came of a run.

use crate::{plan::moment, run::Run};
use serde::{Deserialize, Serialize};
use sinew_machine::Instant;
use std::time::Duration;

/// A delivery is owed to who was up for so long before a message was published, and the network was one for so long.
const SETTLED: Duration = Duration::from_secs(5);

/// A delivery is owed to who is up for so long after a message was published, and the network is one for so long.
const STAYS: Duration = Duration::from_secs(10);

/// What came of a run.
#[derive(Clone, Serialize, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How many nodes there were.
    pub nodes: usize,
    /// The virtual time.
    pub seconds: u64,
    /// What is compared with a baseline.
    pub figures: Figures,
    /// How many deliveries were owed: honest nodes that were there, for each message.
    pub owed: u64,
    /// The longest delivery, in milliseconds.
    pub last_ms: f64,
    /// When the last attacker was gone from the mesh of every honest node, in milliseconds after attackers came.
    pub meshes_clean_ms: Option<u64>,
    /// How many scores of honest nodes were negative that honest nodes gave, when the last message was published.
    pub misjudged: u64,
    /// What the machines counted.
    pub counted: Counted,
    /// Inputs of machines.
    pub events: u64,
    /// What did not hold.
    pub failures: Vec<String>,
    /// A hash of all inputs.
    pub trace: String,
    /// For pictures.
    #[serde(skip)]
    pub shapes: Shapes,
}

/// What is compared with a baseline.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The share of the deliveries that are owed.
    pub delivery: f64,
    /// The median of the time that deliveries took.
    pub p50_ms: f64,
    /// What all but one in a hundred took at most.
    pub p99_ms: f64,
    /// Connections that a delivery went over, on average.
    pub hops: f64,
    /// Copies too many, for each delivery.
    pub duplicates: f64,
    /// Bytes of frames without messages, for each delivery.
    pub control_bytes: f64,
    /// Peers in a mesh at the end, on average.
    pub mesh: f64,
}

/// What the machines of honest nodes counted, all together.
#[derive(Clone, Copy, Default, Serialize, Debug)]
pub struct Counted {
    /// Copies of messages that were known.
    pub duplicates: u64,
    /// Messages with a wrong signature.
    pub forged: u64,
    /// Messages that were not verified because too many waited.
    pub dropped: u64,
    /// Messages that were not sent because too much waited.
    pub unsent: u64,
    /// Messages that were not sent because they were not wanted any more.
    pub withdrawn: u64,
    /// Frames of peers with too bad a score.
    pub graylisted: u64,
    /// Messages that were announced and did not come.
    pub broken_promises: u64,
    /// Peers that came into a mesh.
    pub grafts: u64,
    /// Peers that left a mesh.
    pub prunes: u64,
}

/// Distributions.
#[derive(Clone, Default, Debug)]
pub struct Shapes {
    /// The times of deliveries in milliseconds, sorted.
    pub times_ms: Vec<f64>,
    /// How many deliveries were owed.
    pub owed: usize,
    /// How many deliveries went over so many connections.
    pub hops: Vec<usize>,
    /// How many honest nodes have so many peers in their mesh.
    pub degrees: Vec<usize>,
}

impl Report {
    pub(crate) fn new(run: &mut Run<'_>, seed: u64, failures: Vec<String>) -> Self {
        let shapes = shapes(run);
        let delivered = shapes.times_ms.len();
        let each = |count: u64| count as f64 / delivered.max(1) as f64;
        let figures = Figures {
            delivery: delivered as f64 / shapes.owed.max(1) as f64,
            p50_ms: percentile(&shapes.times_ms, 0.5),
            p99_ms: percentile(&shapes.times_ms, 0.99),
            hops: mean(&shapes.hops),
            duplicates: each(run.counted.duplicates),
            control_bytes: each(run.network.world.tally.control_bytes),
            mesh: mean(&shapes.degrees),
        };
        let mut report = Self {
            seed,
            nodes: run.scenario.nodes,
            seconds: run.scenario.over().as_secs(),
            figures,
            owed: shapes.owed as u64,
            last_ms: percentile(&shapes.times_ms, 1.0),
            meshes_clean_ms: meshes_clean(run),
            misjudged: run.misjudged,
            counted: run.counted,
            events: run.network.events(),
            failures,
            trace: run.network.trace().to_string(),
            shapes,
        };
        report.floors(run);
        report
    }

    fn floors(&mut self, run: &Run<'_>) {
        let floors = &run.scenario.floors;
        let (delivery, floor) = (self.figures.delivery, floors.delivery);
        if delivery < floor {
            let failure = format!("delivery of {delivery:.5} is below the floor of {floor}");
            self.failures.push(failure);
        }
        if let Some(floor) = floors.meshes_clean_ms
            && self.meshes_clean_ms.is_none_or(|clean| clean > floor)
        {
            let failure = format!("attackers are in meshes of honest nodes after {floor} ms");
            self.failures.push(failure);
        }
    }
}

fn shapes(run: &mut Run<'_>) -> Shapes {
    let mut shapes = Shapes::default();
    let nodes = run.plan.nodes.len();
    for tag in 0..run.network.world.published.len() {
        for node in (0..nodes).filter(|node| is_owed(run, tag, *node)) {
            shapes.owed += 1;
            let heard = run.network.world.heard(tag, node);
            if heard.hops > 0 {
                shapes.times_ms.push(f64::from(heard.after_us) / 1000.0);
                raise(&mut shapes.hops, heard.hops.into());
            }
        }
    }
    shapes.times_ms.sort_by(f64::total_cmp);
    for node in 0..nodes {
        if run.plan.nodes[node].behaviour.is_honest() && run.network.machine(node).is_some() {
            let degree = run.mesh(node).len();
            raise(&mut shapes.degrees, degree);
        }
    }
    shapes
}

/// Whether a node has to get a message.
fn is_owed(run: &Run<'_>, tag: usize, node: usize) -> bool {
    let published = run.network.world.published[tag];
    let (place, author) = (&run.plan.nodes[node], &run.plan.nodes[published.author]);
    if node == published.author || !place.behaviour.is_honest() {
        return false;
    }
    let until = (published.at + STAYS).min(Instant::ZERO + run.scenario.over());
    let is_there = |&(from, to): &(Instant, Instant)| from + SETTLED <= published.at && until <= to;
    let is_one = run.scenario.partition.as_ref().is_none_or(|partition| {
        let before = until <= moment(partition.from_ms);
        let after = moment(partition.to_ms) + SETTLED <= published.at;
        before || after || place.is_apart == author.is_apart
    });
    is_one && run.lives[node].iter().any(is_there)
}

/// When attackers came, and when the last was gone.
fn meshes_clean(run: &Run<'_>) -> Option<u64> {
    let attackers = run
        .scenario
        .group
        .iter()
        .filter(|group| group.behaviour.is_attack());
    let came = attackers.map(|group| group.from_ms).min()?;
    let invaded = run.invaded.map_or(Duration::ZERO, |last| last - moment(came));
    // Who is there at the last look is not gone.
    let over = run.scenario.over() - Duration::from_millis(came);
    (invaded + Duration::from_secs(2) < over).then_some(invaded.as_millis() as u64)
}

fn raise(counts: &mut Vec<usize>, place: usize) {
    if counts.len() <= place {
        counts.resize(place + 1, 0);
    }
    counts[place] += 1;
}

fn mean(counts: &[usize]) -> f64 {
    let all: usize = counts.iter().sum();
    let sum: usize = counts
        .iter()
        .enumerate()
        .map(|(value, count)| value * count)
        .sum();
    sum as f64 / all.max(1) as f64
}

/// Of a sorted list; zero if it is empty.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}
