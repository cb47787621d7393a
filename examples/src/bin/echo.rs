//! Echo: one node serves a protocol, another opens a stream of it.
//!
//! `cargo run -p sinew-examples --bin echo` listens and prints its address; the same with that address behind it dials.

use sinew::{Keypair, Multiaddr, Node, Stream, addr};
use std::{error::Error, time::Duration};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(addr) => dial(addr.parse()?).await,
        None => listen().await,
    }
}

async fn listen() -> Result<(), Box<dyn Error>> {
    let node = Node::builder(Keypair::generate())
        .listen("/ip4/127.0.0.1/tcp/0")?
        .start()
        .await?;
    node.set_stream_handler("/echo/1.0.0", echo)?;
    for listening in node.listen_addrs() {
        println!(
            "cargo run -p sinew-examples --bin echo -- {}",
            addr::join_peer(listening, &node.peer_id())?
        );
    }
    tokio::signal::ctrl_c().await?;
    node.shutdown(Duration::from_secs(3)).await;
    Ok(())
}

async fn echo(mut stream: Stream) {
    println!("{} says something", stream.peer());
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    let _ = stream.finish().await;
}

async fn dial(addr: Multiaddr) -> Result<(), Box<dyn Error>> {
    let node = Node::builder(Keypair::generate()).start().await?;
    let peer = node.connect(addr).await?;
    let mut stream = node.new_stream(&peer, ["/echo/1.0.0"]).await?;
    stream.write_all(b"hello").await?;
    stream.finish().await?;
    println!("{}", String::from_utf8_lossy(&stream.read_to_end(1024).await?));
    node.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
