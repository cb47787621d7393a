//! What a node tells of itself: tags, traces, measures, scores.

use crate::rig::{Node, is_silent, message, topic};
use sinew_core::{Measure, Measures};
use sinew_gossipsub::{Config, Params, ScoreParams, TraceWriter};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_runtime::sleep;
use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

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

/// A place to write to that a test can read.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = self.0.lock().expect("nobody panics").clone();
        let text = String::from_utf8(text).expect("text");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_trace_tells_every_step_as_a_line() {
    let page = Page::default();
    let writer = TraceWriter::new(page.clone());
    let (a, b) = pair(Config::default().trace(writer.clone())).await;
    let (mut here, mut there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    sleep(Duration::from_secs(3)).await;
    b.publish(b"theirs").await;
    let received = message(&mut here).await;
    a.publish(b"ours").await;
    message(&mut there).await;
    drop(here);
    sleep(Duration::from_secs(1)).await;
    b.host.shutdown(Duration::from_secs(5)).await;
    sleep(Duration::from_secs(1)).await;
    writer.flush().expect("memory takes everything");
    let lines = page.lines();
    let kinds: BTreeSet<_> = lines
        .iter()
        .map(|line| line["type"].as_str().expect("a name"))
        .collect();
    let expected = [
        "ADD_PEER",
        "DELIVER_MESSAGE",
        "GRAFT",
        "JOIN",
        "LEAVE",
        "PRUNE",
        "PUBLISH_MESSAGE",
        "RECV_RPC",
        "REMOVE_PEER",
        "SEND_RPC",
    ];
    assert_eq!(kinds, expected.into());
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    let is_of = |line: &&serde_json::Value| line["type"] == "DELIVER_MESSAGE";
    let delivered = lines.iter().find(is_of).expect("delivered");
    assert_eq!(delivered["peerID"], base64(a.peer().as_bytes()));
    assert!(delivered["timestamp"].as_u64() > Some(1_700_000_000_000_000_000));
    let expected = serde_json::json!({
        "messageID": base64(received.id.as_bytes()),
        "receivedFrom": base64(b.peer().as_bytes()),
        "topic": "topic",
    });
    assert_eq!(delivered["deliverMessage"], expected);
    assert_eq!(writer.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_shuts_down_says_goodbye() {
    let page = Page::default();
    let writer = TraceWriter::new(page.clone());
    let (a, b) = pair(Config::default().trace(writer.clone())).await;
    let (_here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    sleep(Duration::from_secs(3)).await;
    b.host.shutdown(Duration::from_secs(5)).await;
    sleep(Duration::from_secs(1)).await;
    writer.flush().expect("memory takes everything");
    let heard: Vec<_> = page
        .lines()
        .iter()
        .map(|line| line["recvRPC"]["meta"].clone())
        .collect();
    let last = heard.iter().rfind(|rpc| !rpc.is_null()).expect("it spoke");
    assert_eq!(last["control"]["prune"][0]["topic"], "topic", "{last}");
    assert_eq!(last["subscription"][0]["subscribe"], false, "{last}");
}

/// What takes nothing.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_trace_loses_is_counted() {
    let writer = TraceWriter::new(Broken);
    let node = Node::with(Config::default().trace(writer.clone())).await;
    let subscription = node.subscribe();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(writer.lost(), 0, "it still waits");
    writer.flush().expect_err("the disk is full");
    assert_eq!(writer.lost(), 1);
    drop(subscription);
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_written_every_second_and_at_the_end() {
    let page = Page::default();
    let mut builder = HostBuilder::new(Arc::new(Keypair::generate()));
    let traces = builder.add(TraceWriter::new(page.clone()));
    let gossipsub = builder.add(Config::default().trace(traces));
    let host = builder.start().await.expect("starts");
    let subscription = gossipsub.subscribe(&topic()).expect("not too many");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(page.lines().len(), 1, "joined");
    drop(subscription);
    sleep(Duration::from_millis(10)).await;
    host.shutdown(Duration::from_secs(1)).await;
    assert_eq!(page.lines().len(), 2, "joined and left");
}

/// What a node measures, by name.
async fn measures(node: &Node<sinew_gossipsub::Gossipsub>) -> Vec<Measure> {
    let Measures(services) = node.host.observe::<Measures>().now();
    assert_eq!(services.len(), 1);
    services[0].measure().await
}

fn value(measures: &[Measure], name: &str, label: &str) -> u64 {
    let measure = measures.iter().find(|measure| measure.name == name);
    let values = &measure.expect("there is one").values;
    let is = |labels: &[(&str, String)]| labels.iter().all(|(_, value)| value == label);
    let found = values.iter().find(|(labels, _)| is(labels));
    found.expect("there is one").1
}

#[tokio::test(start_paused = true)]
async fn a_node_measures_what_it_does() {
    let (a, b) = pair(Config::default()).await;
    let (mut here, _there) = (a.subscribe(), b.subscribe());
    a.neighbours(1).await;
    b.neighbours(1).await;
    sleep(Duration::from_secs(3)).await;
    b.publish(b"hello").await;
    message(&mut here).await;
    let all = measures(&a).await;
    for (name, label, expected) in [
        ("gossipsub_peers", "", 1),
        ("gossipsub_mesh_peers", "topic", 1),
        ("gossipsub_peers_by_score", "-10", 0),
        ("gossipsub_peers_by_score", "0", 1),
        ("gossipsub_messages", "accepted", 1),
        ("gossipsub_messages", "duplicate", 0),
        ("gossipsub_mesh_changes", "graft", 1),
        ("gossipsub_rejected", "forged", 0),
    ] {
        assert_eq!(value(&all, name, label), expected, "{name} {label}");
    }
    let names: BTreeSet<_> = all
        .iter()
        .map(|measure| {
            format!(
                "sinew_{}{}",
                measure.name,
                if measure.grows { "_total" } else { "" }
            )
        })
        .collect();
    assert_eq!(names, sinew_gossipsub::METRICS.map(str::to_owned).into());
    let Measures(services) = a.host.observe::<Measures>().now();
    a.host.shutdown(Duration::from_secs(1)).await;
    assert!(services[0].measure().await.is_empty(), "nobody is left to say");
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
