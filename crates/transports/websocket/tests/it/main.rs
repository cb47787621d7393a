//! The transport from outside: the suite, other implementations, hostile peers, shared ports, certificates, frames.

mod certificates;
mod conformance;
mod frames;
mod hostile_clients;
mod hostile_servers;
mod made;
// Elsewhere the roots are those of the system's own verifier, and no variable changes them.
#[cfg(target_os = "linux")]
mod platform;
mod sharing;
mod tungstenite;
