//! Gossipsub on hosts over the memory transport, with a paused clock.

mod eight;
mod hosts;
mod insight;
mod partials;
mod rig;
