//! Floodsub on hosts over the memory transport, with a paused clock.

mod hostile;
mod hosts;
mod rig;
mod validation;
