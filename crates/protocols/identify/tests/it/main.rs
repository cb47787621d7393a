//! Whole hosts that identify each other over the memory transport, on a paused clock.

mod hostile;
mod hosts;
mod pushes;
mod rig;
