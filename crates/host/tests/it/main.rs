//! Whole hosts over the memory transport, on a paused clock.

mod connections;
mod dialling;
mod limits;
mod rig;
mod scale;
mod streams;
