//! What the application thinks of messages.

use crate::rig::{Node, is_silent, message, topic};
use sinew_floodsub::{Config, Received, Subscription, Validation};
use sinew_runtime::sleep;
use std::{future::pending, sync::Arc, time::Duration};

/// Three nodes in a line, of which the one in the middle judges.
async fn line() -> (Vec<Node>, Vec<Subscription>) {
    Node::line(3, &Config::default()).await
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_on_when_it_is_accepted() {
    let (nodes, mut subscriptions) = line().await;
    let author = nodes[0].peer();
    nodes[1]
        .floodsub
        .set_validator(&topic(), move |received: Arc<Received>| async move {
            assert_eq!(received.message.from(), Some(author.as_bytes()));
            sleep(Duration::from_secs(4)).await;
            match received.message.data() {
                b"good" => Validation::Accept,
                b"odd" => Validation::Ignore,
                _ => Validation::Reject,
            }
        });
    for data in [&b"bad"[..], b"odd", b"good"] {
        nodes[0].publish(data).await;
    }
    for n in [1, 2] {
        assert_eq!(message(&mut subscriptions[n]).await.message.data(), b"good");
        assert!(is_silent(&mut subscriptions[n]).await);
    }
    let counts = nodes[1].floodsub.counts().await.expect("runs");
    assert_eq!((counts.accepted, counts.ignored, counts.rejected), (1, 1, 1));
    assert!(nodes[1].floodsub.remove_validator(&topic()));
    nodes[0].publish(b"bad").await;
    assert_eq!(message(&mut subscriptions[2]).await.message.data(), b"bad");
}

#[tokio::test(start_paused = true)]
async fn a_validator_that_hangs_or_panics_stops_its_message_alone() {
    let (nodes, mut subscriptions) = line().await;
    nodes[1]
        .floodsub
        .set_validator(&topic(), |received: Arc<Received>| async move {
            match received.message.data() {
                b"hang" => pending().await,
                b"panic" => panic!("on purpose"),
                _ => Validation::Accept,
            }
        });
    for data in [&b"hang"[..], b"panic", b"good"] {
        nodes[0].publish(data).await;
    }
    assert_eq!(message(&mut subscriptions[2]).await.message.data(), b"good");
    assert!(is_silent(&mut subscriptions[2]).await);
    let counts = nodes[1].floodsub.counts().await.expect("runs");
    assert_eq!((counts.accepted, counts.ignored), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_judged_is_dropped_within_a_bound() {
    let (nodes, _subscriptions) = line().await;
    nodes[1]
        .floodsub
        .set_validator(&topic(), |_: Arc<Received>| pending::<Validation>());
    for _ in 0..6 {
        nodes[0].publish(&vec![0; 1 << 19]).await;
    }
    // All are judged at once, so that none waits; each is ignored in time.
    sleep(Duration::from_secs(6)).await;
    let counts = nodes[1].floodsub.counts().await.expect("runs");
    assert_eq!((counts.ignored, counts.dropped), (6, 0));
}
