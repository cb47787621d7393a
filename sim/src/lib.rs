//! Thousands of machines across peers in virtual time: how gossipsub and floodsub do in a large network, and under attack.
//!
//! Its driver runs any [`PeerMachine`](sinew_machine::PeerMachine) over links with latency and bandwidth, and knows nothing of
//! pubsub. The rest of the crate runs pubsub in it, by scenarios from TOML files: [`run`] gives a [`Report`], whose figures
//! are compared with a baseline ([`Figures::strays`]). `sim/README.md` says how to write a scenario, `docs/simulation.md` what came of them.
//!
//! ```
//! let text = std::fs::read_to_string("scenarios/calm.toml")?;
//! let mut scenario = sinew_sim::Scenario::parse("calm", &text)?;
//! (scenario.nodes, scenario.publish.messages) = (30, 3);
//! let report = sinew_sim::run(&scenario, scenario.seed, |_| {});
//! assert_eq!(report.figures.delivery, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is no clock in it, no entropy and no order of hashes: the same seed gives the same run in every process.

mod actor;
mod attacker;
mod baseline;
mod books;
mod check;
mod message;
mod network;
mod plan;
mod queue;
mod report;
mod run;
mod scenario;
mod score;
mod trace;

pub use report::{Counted, Figures, Report, Shapes};
pub use run::run;
pub use scenario::{Behaviour, Scenario, ScenarioError};
