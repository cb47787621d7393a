//! Honest nodes.

use crate::rig::{Node, is_silent, message, topic};
use sinew_core::Lifetime;
use sinew_floodsub::Floodsub;
use sinew_gossipsub::{
    Config, Mesh, MessageId, Params, PublishError, Received, SignaturePolicies, SignaturePolicy,
    SubscribeError, SubscriptionFilter, Topic, TopicParams, Validation,
};
use sinew_runtime::{now, sleep, timeout};
use std::{sync::Arc, time::Duration};

/// A mesh of two, so that a few nodes are enough for gossip; with so much room that none of six neighbours is left out.
fn small() -> Config {
    let mut params = Params::default();
    params.flood_publish = false;
    params.mesh = Mesh {
        target: 2,
        low: 2,
        high: 5,
        score: 1,
        outbound: 1,
    };
    Config::default().params(params).expect("sound")
}

#[tokio::test(start_paused = true)]
async fn twenty_nodes_hear_every_message_once() {
    let mut nodes = Vec::new();
    for _ in 0..20 {
        nodes.push(Node::with(small()).await);
    }
    // Each with the next three: far from all with all.
    for n in 0..20 {
        for step in 1..=3 {
            nodes[n].connect(&nodes[(n + step) % 20]).await;
        }
    }
    let mut subscriptions: Vec<_> = nodes.iter().map(Node::subscribe).collect();
    for node in &nodes {
        node.neighbours(6).await;
    }
    sleep(Duration::from_secs(5)).await;
    for node in &nodes {
        assert!(!node.pubsub.mesh(&topic()).await.is_empty());
    }
    for author in [0, 7, 13] {
        let data = [u8::try_from(author).expect("few"); 2000];
        assert!((1..=6).contains(&nodes[author].publish(&data).await));
        for (n, subscription) in subscriptions.iter_mut().enumerate() {
            if n != author {
                assert_eq!(message(subscription).await.message.data(), data);
            }
        }
    }
    for subscription in &mut subscriptions {
        assert!(is_silent(subscription).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_published_whole_or_not_at_all() {
    let mut params = Params::default();
    let mut bounded = TopicParams::default();
    bounded.max_data = Some(3);
    params.topics.insert(topic(), bounded);
    let config = Config::default().params(params).expect("sound");
    let (a, b) = (Node::with(config).await, Node::new().await);
    a.connect(&b).await;
    let mut there = b.subscribe();
    a.neighbours(1).await;
    let batch = |data: [&'static str; 3]| data.map(|data| (topic(), data.into()));
    let long = a.pubsub.publish_batch(batch(["a", "long", "b"])).await;
    assert!(matches!(long, Err(PublishError::TooLong { len: 4, max: 3 })));
    let alone = a.pubsub.publish(&topic(), "long").await;
    assert!(matches!(alone, Err(PublishError::TooLong { len: 4, max: 3 })));
    let published = a.pubsub.publish_batch(batch(["x", "y", "z"])).await;
    let published = published.expect("publishes");
    let peers: Vec<_> = published
        .iter()
        .flatten()
        .map(|published| published.peers)
        .collect();
    assert_eq!(peers, [1, 1, 1]);
    for (n, data) in [(0, "x"), (1, "y"), (2, "z")] {
        let received = message(&mut there).await;
        assert_eq!(received.message.data(), data.as_bytes());
        assert_eq!(
            Some(&received.id),
            published[n].as_ref().map(|published| &published.id)
        );
    }
    a.host.shutdown(Duration::from_secs(5)).await;
    let late = a.pubsub.publish_batch(batch(["x", "y", "z"])).await;
    assert!(matches!(late, Err(PublishError::Ended)));
}

#[tokio::test(start_paused = true)]
async fn floodsub_peers_take_part() {
    let (a, b) = (Node::new().await, Node::new().await);
    let flood: Node<Floodsub> = Node::with(sinew_floodsub::Config::default()).await;
    a.connect(&flood).await;
    b.connect(&flood).await;
    let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
    let mut between = flood.pubsub.subscribe(&topic()).expect("not too many");
    a.neighbours(1).await;
    b.neighbours(1).await;
    flood.pubsub.wait_for_peers(&topic(), 2).await.expect("runs");
    assert_eq!(a.publish(b"through").await, 1);
    for subscription in [&mut between, &mut at_b] {
        assert_eq!(message(subscription).await.message.data(), b"through");
    }
    flood
        .pubsub
        .publish(&topic(), "from between")
        .await
        .expect("publishes");
    for subscription in [&mut at_a, &mut at_b] {
        assert_eq!(message(subscription).await.message.data(), b"from between");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_judged_before_it_goes_on() {
    let nodes = [Node::new().await, Node::new().await, Node::new().await];
    nodes[0].connect(&nodes[1]).await;
    nodes[1].connect(&nodes[2]).await;
    let mut subscriptions: Vec<_> = nodes.iter().map(Node::subscribe).collect();
    nodes[0].neighbours(1).await;
    nodes[1].neighbours(2).await;
    nodes[2].neighbours(1).await;
    sleep(Duration::from_secs(3)).await;
    nodes[1]
        .pubsub
        .set_validator(&topic(), |received: Arc<Received>| async move {
            sleep(Duration::from_secs(2)).await;
            match received.message.data() {
                b"good" => Validation::Accept,
                b"odd" => Validation::Ignore,
                _ => Validation::Reject,
            }
        });
    for data in [&b"bad"[..], b"odd", b"good"] {
        nodes[0].publish(data).await;
    }
    assert_eq!(message(&mut subscriptions[2]).await.message.data(), b"good");
    assert!(is_silent(&mut subscriptions[2]).await);
    let counts = nodes[1].pubsub.counts().await.expect("runs");
    assert_eq!((counts.accepted, counts.ignored, counts.rejected), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn without_a_mesh_gossip_carries_a_message() {
    let mut params = Params::default();
    params.flood_publish = false;
    params.mesh = Mesh {
        target: 0,
        low: 0,
        high: 0,
        score: 0,
        outbound: 0,
    };
    let config = Config::default().params(params).expect("sound");
    let (a, b) = (Node::with(config.clone()).await, Node::with(config).await);
    let (_here, mut there) = (a.subscribe(), b.subscribe());
    a.connect(&b).await;
    a.neighbours(1).await;
    b.neighbours(1).await;
    assert_eq!(a.publish(b"announced").await, 0);
    assert_eq!(message(&mut there).await.message.data(), b"announced");
    let counts = b.pubsub.counts().await.expect("runs");
    assert_eq!(
        (counts.accepted, counts.grafts, counts.broken_promises),
        (1, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_follows_nothing_waits_for_those_that_do() {
    let (author, reader) = (Node::new().await, Node::new().await);
    let topic = topic();
    let publishing = async {
        let waited = author.pubsub.wait_for_peers(&topic, 1).await;
        waited.expect("the node runs");
        author.publish(b"hello").await
    };
    let reading = async {
        author.connect(&reader).await;
        sleep(Duration::from_secs(10)).await;
        let mut there = reader.subscribe();
        message(&mut there).await
    };
    let (peers, received) = tokio::join!(publishing, reading);
    assert_eq!((peers, received.message.data()), (1, &b"hello"[..]));
    assert!(reader.pubsub.peers(&topic).await.is_empty(), "it never followed");
    let ending = async {
        sleep(Duration::from_secs(1)).await;
        author.host.shutdown(Duration::from_secs(5)).await;
    };
    let (waited, ()) = tokio::join!(author.pubsub.wait_for_peers(&topic, 2), ending);
    assert_eq!(waited, Err(SubscribeError::Ended));
}

#[tokio::test(start_paused = true)]
async fn the_handle_of_a_topic_publishes_when_enough_peers_follow_it() {
    let nodes = [Node::new().await, Node::new().await, Node::new().await];
    nodes[0].connect(&nodes[1]).await;
    nodes[0].connect(&nodes[2]).await;
    let [author, first, second] = nodes.each_ref().map(|node| node.pubsub.topic(topic()));
    assert_eq!(author.topic(), &topic());
    let mut at_first = first.subscribe().expect("not too many");
    author.wait_for_peers(1).await.expect("the node runs");
    let early = timeout(Duration::from_secs(60), author.publish_when(2, "early")).await;
    assert!(early.is_err(), "one peer alone follows it");
    let publishing = author.publish_when(2, "hello");
    let reading = async {
        sleep(Duration::from_secs(10)).await;
        let mut at_second = second.subscribe().expect("not too many");
        message(&mut at_second).await
    };
    let (published, received) = tokio::join!(publishing, reading);
    assert_eq!(published.expect("publishes").peers, 2);
    assert_eq!(received.message.data(), b"hello");
    let heard = message(&mut at_first).await;
    assert_eq!(heard.message.data(), b"hello", "nothing was published before");
    let here = author.subscribe().expect("not too many");
    first.wait_for_peers(1).await.expect("the node runs");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(
        (first.peers().await, first.mesh().await),
        (vec![nodes[0].peer()], vec![nodes[0].peer()])
    );
    first.set_validator(|_| async { Validation::Reject });
    author.publish("rejected").await.expect("publishes");
    sleep(Duration::from_secs(1)).await;
    assert!(first.remove_validator() && !first.remove_validator());
    author.publish("taken").await.expect("publishes");
    assert_eq!(message(&mut at_first).await.message.data(), b"taken");
    drop(here);
    let ending = nodes[0].host.shutdown(Duration::from_secs(5));
    let (waited, _) = tokio::join!(author.publish_when(3, "late"), ending);
    assert!(matches!(waited, Err(PublishError::Ended)));
}

#[tokio::test(start_paused = true)]
async fn ids_differ_by_topic_if_their_function_does() {
    let by_topic = |message: &sinew_gossipsub::Message| match message.topic() {
        "topic" => message.data()[..2].into(),
        _ => MessageId::by_content(message),
    };
    let config = || {
        let config = Config::default().policy(SignaturePolicy::StrictNoSign);
        config.message_id(by_topic)
    };
    let (a, b) = (Node::with(config()).await, Node::with(config()).await);
    a.connect(&b).await;
    let other: Topic = "other".parse().expect("a topic");
    let (mut there, mut elsewhere) = (b.subscribe(), b.pubsub.subscribe(&other).expect("not too many"));
    a.pubsub.wait_for_peers(&other, 1).await.expect("the node runs");
    a.neighbours(1).await;
    a.publish(b"ab 1").await;
    let again = a.pubsub.publish(&topic(), "ab 2").await;
    assert!(matches!(again, Err(PublishError::Duplicate(id)) if id == b"ab"[..].into()));
    assert_eq!(message(&mut there).await.id, b"ab"[..].into());
    for data in ["ab 1", "ab 2"] {
        a.pubsub.publish(&other, data).await.expect("publishes");
        let received = message(&mut elsewhere).await;
        assert_eq!(received.id, MessageId::by_content(&received.message));
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_may_be_of_one_topic() {
    let other: Topic = "unsigned".parse().expect("a topic");
    let policies = SignaturePolicies::from(SignaturePolicy::StrictSign);
    let config = Config::default().policy(policies.with(other.clone(), SignaturePolicy::StrictNoSign));
    let (a, b) = (Node::with(config.clone()).await, Node::with(config).await);
    a.connect(&b).await;
    let mut there = [b.subscribe(), b.pubsub.subscribe(&other).expect("not too many")];
    // Of an unsigned message nothing but this is looked at.
    b.pubsub.set_validator(&other, |_| async { Validation::Accept });
    a.pubsub.wait_for_peers(&other, 1).await.expect("the node runs");
    a.neighbours(1).await;
    for (topic, subscription) in [topic(), other].into_iter().zip(&mut there) {
        a.pubsub.publish(&topic, "hello").await.expect("publishes");
        let received = message(subscription).await;
        assert_eq!(received.message.signature().is_some(), topic.as_str() == "topic");
    }
}

#[tokio::test(start_paused = true)]
async fn explicit_peers_find_each_other() {
    let b = Node::new().await;
    let mut params = Params::default();
    params.explicit.insert(b.peer());
    let a = Node::with(Config::default().params(params).expect("sound")).await;
    let lifetime = Lifetime::Permanent;
    a.host
        .peerstore()
        .add_addrs(&b.peer(), std::slice::from_ref(&b.addr), lifetime, now());
    sleep(Duration::from_secs(330)).await;
    assert_eq!(a.host.peers(), [b.peer()]);
    let (mut here, _there) = (a.subscribe(), b.subscribe());
    b.neighbours(1).await;
    a.neighbours(1).await;
    assert!(a.pubsub.mesh(&topic()).await.is_empty());
    b.publish(b"hello").await;
    assert_eq!(message(&mut here).await.message.data(), b"hello");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_peer_is_not_heard() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let (mut here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    b.publish(b"1").await;
    assert_eq!(message(&mut here).await.message.data(), b"1");
    a.pubsub.block(b.peer(), true).await;
    b.publish(b"2").await;
    assert!(is_silent(&mut here).await);
    assert!(a.pubsub.peers(&topic()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn topics_are_filtered_here_and_of_peers() {
    let other: Topic = "other".parse().expect("a topic");
    let filter = SubscriptionFilter::only([topic()]);
    let (a, b) = (
        Node::with(Config::default().filter(filter)).await,
        Node::new().await,
    );
    a.connect(&b).await;
    let refused = a.pubsub.subscribe(&other).err();
    assert_eq!(refused, Some(SubscribeError::Filtered));
    let _elsewhere = b.pubsub.subscribe(&other).expect("not too many");
    let (mut here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    assert!(a.pubsub.peers(&other).await.is_empty());
    b.publish(b"hello").await;
    assert_eq!(message(&mut here).await.message.data(), b"hello");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_judged_unless_that_is_wanted() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let (_here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    assert!(!a.pubsub.judge(b.peer(), -1.0).await);
    assert_eq!(a.pubsub.scores().await, [(b.peer(), 0.0)]);
    let mut params = Params::default();
    params.score = Some(sinew_gossipsub::ScoreParams::default());
    let c = Node::with(Config::default().params(params).expect("sound")).await;
    c.connect(&b).await;
    let _elsewhere = c.subscribe();
    c.neighbours(1).await;
    assert!(c.pubsub.judge(b.peer(), -2.0).await);
    assert_eq!(c.pubsub.scores().await, [(b.peer(), -20.0)]);
    sleep(Duration::from_secs(3)).await;
    assert!(c.pubsub.mesh(&topic()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_subscriptions_and_leaves_no_task() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let (mut here, there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    let before = now();
    a.host.shutdown(Duration::from_secs(30)).await;
    b.host.shutdown(Duration::from_secs(30)).await;
    assert!(now() - before < Duration::from_secs(2), "{:?}", now() - before);
    while here.next().await.expect("no loss").is_some() {}
    drop(there);
    let late = a.pubsub.publish(&topic(), "late").await;
    assert!(matches!(late, Err(PublishError::Ended)));
    assert_eq!(a.pubsub.subscribe(&topic()).err(), Some(SubscribeError::Ended));
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "no task is left");
}
