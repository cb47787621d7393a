//! Gossipsub on hosts over the memory transport, with a paused clock.

mod hosts;
mod insight;
mod rig;
