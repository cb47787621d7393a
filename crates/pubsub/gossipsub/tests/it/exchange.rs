//! Peers that are told of others, and whom they believe.

use crate::rig::{Node, stranger, topic};
use bytes::Bytes;
use sinew_core::{Host, PeerId, Stream};
use sinew_floodsub::{Control, OtherPeer, Prune, Rpc};
use sinew_gossipsub::{Config, Mesh, PROTOCOLS, Params};
use sinew_identity::Keypair;
use sinew_record::PeerRecord;
use sinew_runtime::{now, sleep};
use std::time::Duration;

/// One that has room for a single peer in its mesh.
fn narrow(exchange: bool) -> Config {
    let mut params = Params::default();
    params.exchange_peers = exchange;
    params.mesh = Mesh {
        target: 1,
        low: 1,
        high: 1,
        score: 0,
        outbound: 0,
    };
    Config::default().params(params).expect("sound")
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_room_meets_the_others_if_that_is_wanted() {
    for exchange in [false, true] {
        let hub = Node::with(narrow(exchange)).await;
        let nodes = [Node::new().await, Node::new().await];
        let _here = hub.subscribe();
        let _there = nodes.each_ref().map(Node::subscribe);
        nodes[0].connect(&hub).await;
        nodes[1].connect(&hub).await;
        sleep(Duration::from_secs(10)).await;
        let met = nodes[0].host.peers().contains(&nodes[1].peer());
        assert_eq!(met, exchange);
    }
}

/// Says that there is another peer, instead of a place in the mesh.
async fn tell(stream: &mut Stream, peer: PeerId, record: Bytes) {
    let record = Some(record);
    let other = OtherPeer { peer, record };
    let prune = vec![Prune {
        topic: topic(),
        peers: vec![other],
        backoff: None,
    }];
    let control = Control {
        prune,
        ..Control::default()
    };
    let rpc = Rpc {
        control,
        ..Rpc::default()
    };
    stream.write_chunk(rpc.encode()).await.expect("is read");
    stream.flush().await.expect("is read");
    // Virtual: until all that follows from it has happened.
    sleep(Duration::from_secs(10)).await;
}

/// The record of a peer, as it gives it to others.
async fn record_of<H>(node: &Node<H>, asker: &Host) -> Bytes {
    asker.connect(node.addr.clone()).await.expect("connects");
    sleep(Duration::from_secs(1)).await;
    let known = asker.peerstore().info(&node.peer(), now());
    known.and_then(|known| known.record).expect("it tells")
}

#[tokio::test(start_paused = true)]
async fn a_record_is_believed_of_the_peer_that_signed_it_alone() {
    let (node, other, liar) = (Node::new().await, Node::new().await, stranger().await);
    let _here = node.subscribe();
    let peer = liar.connect(node.addr.clone()).await.expect("connects");
    let mut stream = liar
        .new_stream(&peer, [PROTOCOLS[2].clone()])
        .await
        .expect("opens");
    let addrs = std::slice::from_ref(&other.addr);
    let by_somebody = PeerRecord::seal(&Keypair::generate(), 1, addrs).expect("signs");
    let real = record_of(&other, &liar).await;
    let mut changed = real.to_vec();
    *changed.last_mut().expect("not empty") ^= 1;
    for forged in [by_somebody, changed, b"no record".to_vec()] {
        tell(&mut stream, other.peer(), forged.into()).await;
        assert_eq!(node.host.peers(), [liar.peer_id()]);
    }
    tell(&mut stream, other.peer(), real).await;
    assert!(node.host.peers().contains(&other.peer()));
}
