//! The byte machine: exact effects, real transcripts, hostile and honest peers, a random model.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "machine/fair.rs"]
mod fair;
#[path = "machine/honest.rs"]
mod honest;
#[path = "machine/hostile.rs"]
mod hostile;
#[path = "machine/model.rs"]
mod model;
#[path = "machine/rig.rs"]
mod rig;
#[path = "machine/script.rs"]
mod script;
#[path = "machine/unread.rs"]
mod unread;
#[path = "machine/vectors.rs"]
mod vectors;
