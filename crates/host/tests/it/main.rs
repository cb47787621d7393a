//! Whole hosts over the memory transport, on a paused clock.

mod access;
mod addresses;
mod cancelling;
mod connections;
mod dialling;
mod limits;
mod metering;
mod net;
mod places;
mod planning;
mod probes;
mod resources;
mod rig;
mod scale;
mod simultaneous;
mod spans;
mod streams;
mod trimming;
mod validation;
mod violations;
