//! The sinew command: run, ping, identify and measure libp2p nodes.

fn main() {}
