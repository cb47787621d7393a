//! What a node tells of itself: tags, scores.

use crate::rig::{Node, is_silent, message, topic};
use sinew_gossipsub::{Config, Params, ScoreParams};
use sinew_runtime::sleep;
use std::time::Duration;

/// Two nodes in each other's mesh.
async fn pair(config: Config) -> (Node<sinew_gossipsub::Gossipsub>, Node<sinew_gossipsub::Gossipsub>) {
    let (a, b) = (Node::with(config).await, Node::new().await);
    a.connect(&b).await;
    (a, b)
}

#[tokio::test(start_paused = true)]
async fn the_connections_of_a_mesh_are_worth_more() {
    let (a, b) = pair(Config::default()).await;
    let (mut here, there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(a.host.peer_worth(&b.peer()), 20);
    b.publish(b"hello").await;
    message(&mut here).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(a.host.peer_worth(&b.peer()), 21);
    drop((here, there));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(a.host.peer_worth(&b.peer()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_score_is_told_in_parts() {
    let mut params = Params::default();
    params.score = Some(ScoreParams::default());
    let (a, b) = pair(Config::default().params(params).expect("sound")).await;
    let (_here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    assert!(a.pubsub.judge(b.peer(), 2.0).await);
    let reports = a.pubsub.score_reports().await;
    assert_eq!((reports[0].0, reports[0].1.app), (b.peer(), 20.0));
    assert_eq!(a.pubsub.scores().await, [(b.peer(), reports[0].1.total())]);
    assert!(b.pubsub.score_reports().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_blocked_for_a_while() {
    let (a, b) = pair(Config::default()).await;
    let (mut here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    a.pubsub.block_for(b.peer(), Duration::from_secs(60)).await;
    b.publish(b"1").await;
    assert!(is_silent(&mut here).await);
    assert!(a.pubsub.peers(&topic()).await.is_empty());
    a.neighbours(1).await;
    b.publish(b"2").await;
    assert_eq!(message(&mut here).await.message.data(), b"2");
}
