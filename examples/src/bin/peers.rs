//! Peers: follows who is connected, what they speak, and why a dial failed.
//!
//! `cargo run -p sinew-examples --bin peers -- ADDRESS...` dials each address and then watches until Ctrl-C.

use sinew::{DialOptions, Keypair, Multiaddr, Node};
use std::{error::Error, time::Duration};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::builder(Keypair::generate())
        .listen("/ip4/0.0.0.0/tcp/0")?
        .start()
        .await?;
    for text in std::env::args().skip(1) {
        let report = node
            .explain(text.parse::<Multiaddr>()?, DialOptions::default())
            .await;
        report.attempts.iter().for_each(|attempt| println!("{attempt}"));
    }
    let mut membership = node.membership();
    loop {
        tokio::select! {
            Some(state) = membership.next() => {
                let protocols = state.protocols.as_ref().map_or(0, |all| all.len());
                println!("{}: {} connections, {protocols} protocols", state.peer, state.connections.len());
            }
            told = tokio::signal::ctrl_c() => {
                told?;
                node.shutdown(Duration::from_secs(3)).await;
                return Ok(());
            }
        }
    }
}
