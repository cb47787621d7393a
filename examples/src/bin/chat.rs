//! Chat: what is typed goes to whoever follows the topic, and what they type is printed.
//!
//! `cargo run -p sinew-examples --bin chat` prints its address; the same with that address behind it joins.

use sinew::{
    Keypair, Multiaddr, Node, addr,
    gossipsub::{Config, Event, Topic},
};
use std::{error::Error, time::Duration};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Node::builder(Keypair::generate()).listen("/ip4/127.0.0.1/tcp/0")?;
    let gossipsub = builder.add(Config::default());
    let node = builder.start().await?;
    for listening in node.listen_addrs() {
        println!(
            "cargo run -p sinew-examples --bin chat -- {}",
            addr::join_peer(listening, &node.peer_id())?
        );
    }
    let topic = Topic::new("chat")?;
    let mut subscription = gossipsub.subscribe(&topic)?;
    if let Some(addr) = std::env::args().nth(1) {
        node.connect(addr.parse::<Multiaddr>()?).await?;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => {
                    let published = gossipsub.publish(&topic, line).await?;
                    println!("(to {} peers)", published.peers);
                }
                None => break,
            },
            event = subscription.next() => match event? {
                Some(Event::Joined(peer)) => println!("{peer} is here"),
                Some(Event::Left(peer)) => println!("{peer} is gone"),
                // As Rust writes it: whatever a stranger says, it steers no terminal.
                Some(Event::Message(received)) => {
                    println!("{:?}", String::from_utf8_lossy(received.message.data()));
                }
                None => break,
            },
        }
    }
    node.shutdown(Duration::from_secs(3)).await;
    Ok(())
}
