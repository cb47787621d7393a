//! Peers that send what they should not: honest ones do not notice.

use crate::rig::{Node, Stranger, is_silent, message, topic};
use sinew_core::{Stream, code};
use sinew_floodsub::{Config, Event, MAX_TOPICS, Message, PROTOCOL, Rpc, SubOpts, Subscription, Topic};
use sinew_identity::Keypair;
use sinew_machine::BUDGET;
use sinew_runtime::{now, sleep, timeout};
use std::time::Duration;

/// Two honest nodes that talk, and a stranger at the second.
async fn among() -> (Vec<Node>, Vec<Subscription>, Stranger) {
    let (nodes, subscriptions) = Node::line(2, &Config::default()).await;
    let stranger = Stranger::of(&nodes[1]).await;
    (nodes, subscriptions, stranger)
}

async fn they_talk(nodes: &[Node], subscriptions: &mut [Subscription]) {
    nodes[0].publish(b"honest").await;
    assert_eq!(message(&mut subscriptions[1]).await.message.data(), b"honest");
}

fn rpc(publish: Vec<Message>) -> Rpc {
    Rpc {
        publish,
        ..Rpc::default()
    }
}

async fn reset_code(stream: &mut Stream) -> Option<u32> {
    let code = timeout(Duration::from_secs(60), stream.reset_by_peer()).await;
    code.ok().map(|code| code.0)
}

#[tokio::test(start_paused = true)]
async fn malformed_and_oversized_frames_end_their_stream() {
    let (nodes, mut subscriptions, mut stranger) = among().await;
    for bytes in [&[2, 0x0a, 9][..], &[0xff, 0xff, 0xff, 0x7f], &[0x80, 0]] {
        stranger.stream.write_all(bytes).await.expect("is read");
        stranger.stream.flush().await.expect("is read");
        let code = reset_code(&mut stranger.stream).await;
        assert_eq!(code, Some(code::stream::PROTOCOL_VIOLATION.0), "{bytes:?}");
        stranger = Stranger::on(stranger.host, &nodes[1]).await;
    }
    assert_eq!(nodes[1].floodsub.counts().await.expect("runs").malformed, 3);
    they_talk(&nodes, &mut subscriptions).await;
}

#[tokio::test(start_paused = true)]
async fn frames_may_come_in_any_pieces() {
    let (_nodes, mut subscriptions, mut stranger) = among().await;
    let author = Keypair::generate();
    let messages = (1..4).map(|n| Message::signed(&author, n, &topic(), vec![0; 100]).expect("signs"));
    let frames: Vec<u8> = messages.flat_map(|message| message.rpc().to_vec()).collect();
    for piece in frames.chunks(7) {
        stranger.stream.write_all(piece).await.expect("is read");
        stranger.stream.flush().await.expect("is read");
    }
    for n in 1..4u64 {
        let received = message(&mut subscriptions[1]).await;
        assert_eq!(received.message.seqno(), Some(&n.to_be_bytes()[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_message_is_not_delivered_and_does_not_silence_the_author() {
    let (nodes, mut subscriptions, mut stranger) = among().await;
    let author = Keypair::generate();
    let real = Message::signed(&author, 1 << 60, &topic(), "real").expect("signs");
    let mut bytes = real.as_bytes().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    let forged = Message::decode(bytes.into()).expect("reads");
    stranger.say(&rpc(vec![forged])).await;
    assert!(is_silent(&mut subscriptions[1]).await);
    stranger.say(&rpc(vec![real.clone()])).await;
    assert_eq!(message(&mut subscriptions[1]).await.message, real);
    assert_eq!(message(&mut subscriptions[0]).await.message, real);
    assert_eq!(nodes[1].floodsub.counts().await.expect("runs").forged, 1);
    stranger.say(&rpc(vec![real])).await;
    assert!(is_silent(&mut subscriptions[1]).await, "a replay");
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_cut_and_goes_nowhere() {
    let (nodes, mut subscriptions, mut stranger) = among().await;
    let real = Message::signed(&Keypair::generate(), 1 << 60, &topic(), "x").expect("signs");
    let mut bytes = real.as_bytes().to_vec();
    *bytes.last_mut().expect("not empty") ^= 1;
    let forged = Message::decode(bytes.into()).expect("reads");
    let unsigned = Message::anonymous(&topic(), "unsigned");
    for _ in 0..=BUDGET / 100 {
        stranger.say(&rpc(vec![unsigned.clone(); 50])).await;
        stranger.say(&rpc(vec![forged.clone(); 50])).await;
    }
    for n in 0..=BUDGET {
        let one = Message::anonymous(&topic(), n.to_be_bytes().to_vec());
        if stranger.stream.write_chunk(one.rpc()).await.is_err() {
            break;
        }
    }
    let _ = stranger.stream.flush().await;
    let code = reset_code(&mut stranger.stream).await;
    assert_eq!(code, Some(code::stream::PROTOCOL_VIOLATION.0));
    they_talk(&nodes, &mut subscriptions).await;
    assert!(is_silent(&mut subscriptions[0]).await);
    assert!(nodes[1].floodsub.counts().await.expect("runs").floods >= 1);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_topics_are_not_all_known() {
    let (nodes, mut subscriptions, mut stranger) = among().await;
    let topics: Vec<Topic> = (0..3 * MAX_TOPICS)
        .map(|n| format!("topic {n}").parse().expect("a topic"))
        .collect();
    let subscriptions_of_stranger = topics.iter().cloned().map(|topic| SubOpts::new(topic, true));
    let rpc = Rpc {
        subscriptions: subscriptions_of_stranger.collect(),
        ..Rpc::default()
    };
    stranger.say(&rpc).await;
    assert_eq!(nodes[1].floodsub.peers(&topics[MAX_TOPICS - 1]).await.len(), 1);
    assert_eq!(nodes[1].floodsub.peers(&topics[MAX_TOPICS]).await, []);
    they_talk(&nodes, &mut subscriptions).await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_loses_messages_and_holds_nobody_up() {
    let (nodes, mut subscriptions) = Node::line(2, &Config::default()).await;
    let host = Stranger::host().await;
    host.set_stream_handler(PROTOCOL, |stream: Stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .expect("free");
    let mut stranger = Stranger::on(host, &nodes[0]).await;
    let joins = Rpc {
        subscriptions: vec![SubOpts::new(topic(), true)],
        ..Rpc::default()
    };
    stranger.say(&joins).await;
    nodes[0].neighbours(2).await;
    let mut to = Vec::new();
    for n in 0..40u8 {
        to.push(nodes[0].publish(&vec![n; 1 << 18]).await);
        assert_eq!(message(&mut subscriptions[1]).await.message.data()[0], n);
    }
    assert_eq!((to[0], to[39]), (2, 1));
    let unsent = nodes[0].floodsub.counts().await.expect("runs").unsent;
    assert!((1..40).contains(&unsent), "{unsent}");
    let before = now();
    nodes[0].host.shutdown(Duration::from_secs(30)).await;
    assert!(now() - before < Duration::from_secs(5), "{:?}", now() - before);
}

#[tokio::test(start_paused = true)]
async fn a_second_stream_replaces_the_first() {
    let (nodes, mut subscriptions, mut first) = among().await;
    let joins = Rpc {
        subscriptions: vec![SubOpts::new(topic(), true)],
        ..Rpc::default()
    };
    first.say(&joins).await;
    let peer = first.host.peer_id();
    assert!(nodes[1].floodsub.peers(&topic()).await.contains(&peer));
    let mut second = first
        .host
        .new_stream(&nodes[1].peer(), [PROTOCOL])
        .await
        .expect("opens");
    second.write_chunk(joins.encode()).await.expect("is read");
    second.flush().await.expect("is read");
    let code = reset_code(&mut first.stream).await;
    assert_eq!(code, Some(code::stream::GARBAGE_COLLECTED.0));
    sleep(Duration::from_secs(1)).await;
    assert!(nodes[1].floodsub.peers(&topic()).await.contains(&peer));
    let mut seen = Vec::new();
    while let Ok(Ok(Some(event))) = timeout(Duration::from_secs(1), subscriptions[1].next()).await {
        seen.push(event);
    }
    let news = [Event::Joined(peer), Event::Left(peer), Event::Joined(peer)];
    assert!(seen.ends_with(&news), "{seen:?}");
    drop(second);
    sleep(Duration::from_secs(1)).await;
    assert!(!nodes[1].floodsub.peers(&topic()).await.contains(&peer));
}

#[tokio::test(start_paused = true)]
async fn who_comes_and_goes_displaces_no_message() {
    let (nodes, mut subscriptions, mut stranger) = among().await;
    nodes[0].publish(b"honest").await;
    let toggle = |on: usize| SubOpts::new(topic(), on.is_multiple_of(2));
    let rpc = Rpc {
        subscriptions: (0..4096).map(toggle).collect(),
        ..Rpc::default()
    };
    stranger.say(&rpc).await;
    assert_eq!(message(&mut subscriptions[1]).await.message.data(), b"honest");
    assert!(matches!(
        subscriptions[1].next().await,
        Ok(Some(Event::Joined(_) | Event::Left(_)))
    ));
}
