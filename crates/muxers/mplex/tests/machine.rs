//! The machine alone: scripts of frames, hostile peers, random operations against a model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "machine/hostile.rs"]
mod hostile;
#[path = "machine/model.rs"]
mod model;
#[path = "machine/rig.rs"]
mod rig;
#[path = "machine/script.rs"]
mod script;
