//! Gossipsub on hosts over the memory transport, with a paused clock.

mod eight;
mod exchange;
mod hosts;
mod insight;
mod partials;
mod rig;
