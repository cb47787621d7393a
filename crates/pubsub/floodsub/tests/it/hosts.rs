//! Honest nodes.

use crate::rig::{Node, is_silent, message, topic};
use sinew_core::{Lagged, PeerId};
use sinew_floodsub::{
    Config, Event, MAX_TOPICS, MessageId, PublishError, SignaturePolicies, SignaturePolicy, SubscribeError,
    Topic,
};
use sinew_identity::Keypair;
use sinew_runtime::{now, sleep, timeout};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_message_goes_down_the_line_and_comes_once() {
    let (nodes, mut subscriptions) = Node::line(4, &Config::default()).await;
    for (data, peers) in [(&b"hello"[..], 1), (b"", 1)] {
        assert_eq!(nodes[0].publish(data).await, peers);
        for n in 1..4 {
            let received = message(&mut subscriptions[n]).await;
            assert_eq!(received.peer, nodes[n - 1].peer());
            assert_eq!(received.message.data(), data);
            assert_eq!(
                received.message.from(),
                Some(nodes[0].peer().as_bytes()),
                "the author"
            );
            assert_eq!(received.id, MessageId::of(&received.message));
        }
    }
    for subscription in &mut subscriptions {
        assert!(is_silent(subscription).await);
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_ring_everybody_hears_everybody_once() {
    let (nodes, mut subscriptions) = Node::line(5, &Config::default()).await;
    nodes[4].connect(&nodes[0]).await;
    nodes[0].neighbours(2).await;
    nodes[4].neighbours(2).await;
    for node in &nodes {
        assert_eq!(node.publish(node.peer().as_bytes()).await, 2);
    }
    for (n, subscription) in subscriptions.iter_mut().enumerate() {
        let mut authors = Vec::new();
        for _ in 0..4 {
            let data = message(subscription).await.message.data_bytes();
            authors.push(PeerId::from_bytes(&data).expect("a peer"));
        }
        let mut others: Vec<_> = nodes.iter().map(Node::peer).collect();
        others.remove(n);
        authors.sort_unstable();
        others.sort_unstable();
        assert_eq!(authors, others);
        assert!(is_silent(subscription).await);
    }
}

#[tokio::test(start_paused = true)]
async fn topics_are_joined_and_left() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let mut events = a.subscribe();
    assert_eq!(a.publish(b"to nobody").await, 0);
    let first = b.subscribe();
    assert_eq!(events.next().await, Ok(Some(Event::Joined(b.peer()))));
    let second = b.subscribe();
    drop(first);
    assert!(
        timeout(Duration::from_secs(60), events.next()).await.is_err(),
        "one is left"
    );
    drop(second);
    assert_eq!(events.next().await, Ok(Some(Event::Left(b.peer()))));
    assert_eq!(a.floodsub.peers(&topic()).await, []);
    let mut third = b.subscribe();
    assert_eq!(events.next().await, Ok(Some(Event::Joined(b.peer()))));
    assert_eq!(
        third.next().await,
        Ok(Some(Event::Joined(a.peer()))),
        "was there before"
    );
    a.host.disconnect(&b.peer());
    assert_eq!(events.next().await, Ok(Some(Event::Left(b.peer()))));
    a.connect(&b).await;
    assert_eq!(events.next().await, Ok(Some(Event::Joined(b.peer()))));
}

#[tokio::test(start_paused = true)]
async fn who_only_publishes_follows_nothing() {
    let (a, b) = (Node::new().await, Node::new().await);
    let mut subscription = b.subscribe();
    a.connect(&b).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(a.floodsub.peers(&topic()).await, [b.peer()]);
    assert_eq!(a.publish(b"hello").await, 1);
    assert_eq!(message(&mut subscription).await.message.data(), b"hello");
    assert_eq!(b.floodsub.peers(&topic()).await, []);
}

#[tokio::test(start_paused = true)]
async fn anonymous_messages_have_no_author_and_are_known_by_what_they_say() {
    let config = Config::default().policy(SignaturePolicy::StrictNoSign);
    let (nodes, mut subscriptions) = Node::line(3, &config).await;
    nodes[0].publish(b"hello").await;
    let received = message(&mut subscriptions[2]).await;
    assert_eq!(received.message.from(), None);
    assert_eq!(received.id, MessageId::by_content(&received.message));
    let again = nodes[2].floodsub.publish(&topic(), "hello").await;
    assert!(matches!(again, Err(PublishError::Duplicate(id)) if id == received.id));
}

#[tokio::test(start_paused = true)]
async fn policies_do_not_mix() {
    let signed = Node::new().await;
    let anonymous = Node::with(Config::default().policy(SignaturePolicy::StrictNoSign)).await;
    let (mut here, mut there) = (signed.subscribe(), anonymous.subscribe());
    signed.connect(&anonymous).await;
    signed.neighbours(1).await;
    anonymous.neighbours(1).await;
    assert_eq!(
        (signed.publish(b"a").await, anonymous.publish(b"b").await),
        (1, 1)
    );
    assert!(is_silent(&mut here).await && is_silent(&mut there).await);
    for node in [&signed, &anonymous] {
        assert_eq!(node.floodsub.counts().await.expect("runs").unwanted, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_may_be_of_one_topic() {
    let other: Topic = "unsigned".parse().expect("a topic");
    let policies = SignaturePolicies::from(SignaturePolicy::StrictSign);
    let policies = policies.with(other.clone(), SignaturePolicy::StrictNoSign);
    let mixed = Node::with(Config::default().policy(policies)).await;
    let anonymous = Node::with(Config::default().policy(SignaturePolicy::StrictNoSign)).await;
    mixed.connect(&anonymous).await;
    let mut here = mixed.subscribe();
    let mut there = anonymous.floodsub.subscribe(&other).expect("not too many");
    let mut both_here = mixed.floodsub.subscribe(&other).expect("not too many");
    mixed.floodsub.wait_for_peers(&other, 1).await.expect("runs");
    anonymous.neighbours(1).await;
    anonymous.floodsub.wait_for_peers(&other, 1).await.expect("runs");
    mixed.floodsub.publish(&other, "a").await.expect("publishes");
    assert_eq!(message(&mut there).await.message.data(), b"a");
    anonymous.floodsub.publish(&other, "b").await.expect("publishes");
    assert_eq!(message(&mut both_here).await.message.data(), b"b");
    assert_eq!(anonymous.publish(b"c").await, 1);
    assert!(is_silent(&mut here).await, "it has to be signed there");
    let signed = Node::new().await;
    signed.connect(&mixed).await;
    signed.neighbours(1).await;
    assert_eq!(signed.publish(b"d").await, 1);
    assert_eq!(message(&mut here).await.message.data(), b"d");
}

#[tokio::test(start_paused = true)]
async fn long_messages_arrive_and_longer_ones_do_not_leave() {
    let (nodes, mut subscriptions) = Node::line(2, &Config::default()).await;
    let (mut low, mut high) = (0, 1 << 20);
    // What is around the data depends on the key; the longest that leaves is near the bound.
    let mut longest = 0;
    while low < high {
        let middle = usize::midpoint(low, high + 1);
        match nodes[0].floodsub.publish(&topic(), vec![7; middle]).await {
            Ok(published) => {
                assert_eq!(published.peers, 1);
                assert_eq!(
                    message(&mut subscriptions[1]).await.message.data(),
                    vec![7; middle]
                );
                (low, longest) = (middle, middle);
            }
            Err(PublishError::TooLong { len, max }) => {
                assert!(len > max);
                high = middle - 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(longest > (1 << 20) - 200, "{longest}");
}

#[tokio::test(start_paused = true)]
async fn a_burst_arrives_whole_and_in_order() {
    let (nodes, mut subscriptions) = Node::line(2, &Config::default()).await;
    let reader = async {
        for n in 0..2000u32 {
            let data = message(&mut subscriptions[1]).await.message.data_bytes();
            assert_eq!(data, n.to_be_bytes().to_vec());
        }
    };
    let writer = async {
        for n in 0..2000u32 {
            assert_eq!(nodes[0].publish(&n.to_be_bytes()).await, 1);
        }
    };
    tokio::join!(reader, writer);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_the_oldest_and_learns_how_many() {
    let (nodes, mut subscriptions) = Node::line(2, &Config::default()).await;
    for n in 0..300u32 {
        nodes[0].publish(&n.to_be_bytes()).await;
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(subscriptions[1].next().await, Err(Lagged(44)));
    let next = message(&mut subscriptions[1]).await;
    assert_eq!(next.message.data(), 44u32.to_be_bytes());
}

#[tokio::test(start_paused = true)]
async fn topics_are_bounded() {
    let node = Node::new().await;
    let mut subscriptions = Vec::new();
    for n in 0..MAX_TOPICS {
        let topic = format!("topic {n}").parse().expect("a topic");
        subscriptions.push(node.floodsub.subscribe(&topic).expect("not too many"));
    }
    let more = node.floodsub.subscribe(&topic());
    assert_eq!(more.err(), Some(SubscribeError::TooMany));
    drop(subscriptions.pop());
    assert!(node.floodsub.subscribe(&topic()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_it_is_left_alone() {
    let node = Node::new().await;
    let other = crate::rig::Stranger::host().await;
    let peer = other.connect(node.addr.clone()).await.expect("connects");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(peer, node.peer());
    assert_eq!(node.host.peers(), [other.peer_id()]);
    assert_eq!(node.floodsub.peers(&topic()).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_never_starts_ends_its_subscriptions() {
    let mut builder = crate::rig::builder(Keypair::generate());
    let floodsub = builder.add(Config::default());
    let mut subscription = floodsub.subscribe(&topic()).expect("not too many");
    let (next, ()) = tokio::join!(timeout(Duration::from_secs(60), subscription.next()), async {
        drop(builder);
    });
    assert_eq!(next, Ok(Ok(None)));
    assert_eq!(floodsub.subscribe(&topic()).err(), Some(SubscribeError::Ended));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_subscriptions_and_leaves_no_task() {
    let (nodes, mut subscriptions) = Node::line(3, &Config::default()).await;
    nodes[0].publish(b"last words").await;
    let before = now();
    for node in &nodes {
        node.host.shutdown(Duration::from_secs(30)).await;
    }
    assert!(now() - before < Duration::from_secs(2), "{:?}", now() - before);
    while let Some(event) = subscriptions[1].next().await.expect("no loss") {
        assert!(!matches!(event, Event::Joined(peer) if peer == nodes[1].peer()));
    }
    let floodsub = &nodes[0].floodsub;
    assert!(matches!(
        floodsub.publish(&topic(), "late").await,
        Err(PublishError::Ended)
    ));
    assert_eq!(floodsub.subscribe(&topic()).err(), Some(SubscribeError::Ended));
    assert_eq!(
        (floodsub.peers(&topic()).await, floodsub.counts().await),
        (vec![], None)
    );
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "no task is left");
}
