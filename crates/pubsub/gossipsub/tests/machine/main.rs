//! The machine by itself: inputs and the effects that they have.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod duties;
#[path = "../it/eight.rs"]
mod eight;
mod gossip;
mod guards;
mod meshes;
mod messages;
mod partials;
mod rig;
mod steps;
mod strangers;
