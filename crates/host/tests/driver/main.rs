//! The driver of machines (`sinew_runtime::Driver`) in whole hosts over the memory transport, on a paused clock: what it promises
//! a machine, whatever peers, connections and jobs do.

mod effects;
mod fairness;
mod flaps;
mod promises;
mod toy;
