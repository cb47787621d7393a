//! Tests over datagrams inside the process, on a paused clock: nothing is lost, and time is what a test makes it.

mod bare;
mod codes;
mod conformance;
mod congestion;
mod flights;
mod hostile;
mod hosts;
mod net;
mod punch;
mod rig;
mod sockets;
mod unread;
mod useless;
mod windows;
