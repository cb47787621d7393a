//! The transport from outside: the suite, other implementations, hostile peers, shared ports, certificates, frames.

mod certificates;
mod conformance;
mod frames;
mod hostile_clients;
mod hostile_servers;
mod made;
mod sharing;
mod tungstenite;
