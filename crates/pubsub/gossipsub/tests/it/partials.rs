//! Partial messages between hosts.

use crate::{
    eight::Eight,
    rig::{Node, topic},
};
use bytes::Bytes;
use sinew_gossipsub::{
    Config, Gossipsub, InvalidPartial, MAX_GROUP, Params, Partial, PartialMode, PartialParams,
    PublishPartialError, ReceivedPartial, ScoreParams, TopicParams, TopicScore,
};
use sinew_runtime::sleep;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What an application keeps: the parts of each group.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<BTreeMap<Bytes, u8>>>);

impl Store {
    fn take(&self, received: &ReceivedPartial) -> Result<Option<Arc<dyn Partial>>, InvalidPartial> {
        let partial = &received.partial;
        let new = partial.message.as_deref().map_or(Ok(0), Eight::read)?;
        let bits = self.add(&partial.group, new);
        Ok(Some(Arc::new(Eight::new(bits))))
    }

    fn add(&self, group: &Bytes, new: u8) -> u8 {
        let mut groups = self.0.lock().expect("no panic");
        let bits = groups.entry(group.clone()).or_default();
        *bits |= new;
        *bits
    }
}

struct Peer {
    node: Node<Gossipsub>,
    store: Store,
}

fn params() -> Params {
    let mut partial = PartialParams::default();
    partial.topics.insert(topic(), PartialMode::Request);
    let mut params = Params::default();
    params.partial = Some(partial);
    params
}

impl Peer {
    async fn new() -> Self {
        let store = Store::default();
        let kept = store.clone();
        let handler = move |received: Arc<ReceivedPartial>| {
            let taken = kept.take(&received);
            async move { taken }
        };
        let config = Config::default().params(params()).expect("sound");
        let node = Node::with(config.partial_handler(handler)).await;
        Self { node, store }
    }

    /// Has some parts of a group, and tells.
    async fn publish(&self, group: &Bytes, bits: u8) -> usize {
        let partial = Arc::new(Eight::new(self.store.add(group, bits)));
        let (topic, pubsub) = (topic(), &self.node.pubsub);
        let told = pubsub.publish_partial(&topic, group.clone(), partial, &[]).await;
        told.expect("publishes")
    }
}

#[tokio::test(start_paused = true)]
async fn each_gives_what_it_has_until_all_have_all() {
    let mut peers = Vec::new();
    for _ in 0..6 {
        peers.push(Peer::new().await);
    }
    // A chain, as in the suite of the libp2p project.
    for pair in peers.windows(2) {
        pair[0].node.connect(&pair[1].node).await;
    }
    let _subscriptions: Vec<_> = peers.iter().map(|peer| peer.node.subscribe()).collect();
    sleep(Duration::from_secs(5)).await;
    let groups: Vec<Bytes> = (0..4u8).map(|n| vec![n].into()).collect();
    for (n, group) in groups.iter().enumerate() {
        for part in 0..8 {
            peers[(n * 8 + part) % 6].publish(group, 1 << part).await;
        }
    }
    sleep(Duration::from_secs(2)).await;
    for peer in &peers {
        let kept = peer.store.0.lock().expect("no panic").clone();
        assert_eq!(kept, groups.iter().map(|group| (group.clone(), 0xff)).collect());
        let counts = peer.node.pubsub.counts().await.expect("runs");
        assert_eq!((counts.rejected, counts.dropped, counts.unwanted), (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_only_published_to_has_a_fanout() {
    let (author, reader) = (Peer::new().await, Peer::new().await);
    author.node.connect(&reader.node).await;
    let _subscription = reader.node.subscribe();
    author.node.neighbours(1).await;
    let group = Bytes::from_static(b"group");
    assert_eq!(author.publish(&group, 0xff).await, 1);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(reader.store.add(&group, 0), 0xff);
}

#[tokio::test(start_paused = true)]
async fn who_sends_what_is_no_part_is_judged_by_it() {
    let mut params = params();
    params.score = Some(ScoreParams::default());
    let mut scored = TopicParams::default();
    let mut score = TopicScore::default();
    // Nothing is gained by time.
    score.time_in_mesh_weight = 0.0;
    scored.score = Some(score);
    params.topics.insert(topic(), scored);
    let config = Config::default().params(params).expect("sound");
    let refuse = |_| async { Err(InvalidPartial) };
    let (strict, honest) = (
        Node::with(config.partial_handler(refuse)).await,
        Peer::new().await,
    );
    strict.connect(&honest.node).await;
    let (_here, _there) = (strict.subscribe(), honest.node.subscribe());
    strict.neighbours(1).await;
    honest.node.neighbours(1).await;
    sleep(Duration::from_secs(2)).await;
    honest.publish(&Bytes::from_static(b"group"), 1).await;
    sleep(Duration::from_secs(1)).await;
    assert!(strict.pubsub.scores().await[0].1 < 0.0);
    assert_eq!(strict.pubsub.counts().await.expect("runs").rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn parts_are_published_only_where_that_was_agreed_on() {
    let (on, off) = (Peer::new().await, Node::new().await);
    let partial = || Arc::new(Eight::new(1));
    let other = "other".parse().expect("a topic");
    let not_there = on
        .node
        .pubsub
        .publish_partial(&other, "group", partial(), &[])
        .await;
    assert_eq!(not_there, Err(PublishPartialError::NotEnabled));
    let not_at_all = off
        .pubsub
        .publish_partial(&topic(), "group", partial(), &[])
        .await;
    assert_eq!(not_at_all, Err(PublishPartialError::NotEnabled));
    let long = vec![0; MAX_GROUP + 1];
    let too_long = on
        .node
        .pubsub
        .publish_partial(&topic(), long, partial(), &[])
        .await;
    assert_eq!(too_long, Err(PublishPartialError::TooLong(MAX_GROUP + 1)));
    on.node.host.shutdown(Duration::from_secs(5)).await;
    let late = on
        .node
        .pubsub
        .publish_partial(&topic(), "group", partial(), &[])
        .await;
    assert_eq!(late, Err(PublishPartialError::Ended));
}
