//! Gossipsub on hosts over the memory transport, with a paused clock.

mod hosts;
mod insight;
mod partials;
#[path = "../parts/mod.rs"]
mod parts;
mod rig;
