//! What changes later.

use crate::rig::{Node, names, plain, speaking};
use sinew_core::{Host, PeerId, Stream};
use sinew_identify::{Extent, MAX_WAITING, PROTOCOL, PUSH_PROTOCOL};
use sinew_identity::Keypair;
use sinew_runtime::{now, sleep};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

async fn nothing(_: Stream) {}

#[tokio::test(start_paused = true)]
async fn a_new_handler_is_told_and_so_is_its_end() {
    let (mut a, mut b) = (Node::new().await, Node::new().await);
    a.host.connect(b.addr.clone()).await.expect("connects");
    a.next().await;
    b.next().await;
    for n in 0..20 {
        b.host
            .set_stream_handler(format!("/new/{n}"), nothing)
            .expect("free");
    }
    let told = a.next().await;
    assert_eq!(told.extent, Extent::Changes);
    assert_eq!(names(&told.info).len(), 22, "all at once");
    assert_eq!(a.protocols_of(&b.peer()).map(|list| list.len()), Some(22));
    b.host.remove_stream_handler("/new/0");
    let before = now();
    assert_eq!(names(&a.next().await.info).len(), 21);
    assert!(
        now() - before > Duration::from_millis(500),
        "a second after the last"
    );
    b.host
        .listen("/memory/0".parse::<sinew_core::Multiaddr>().expect("an address"))
        .await
        .expect("listens");
    assert_eq!(a.next().await.info.listen_addrs.len(), 2);
    assert!(a.hears_nothing().await && b.hears_nothing().await);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_speak_push_is_not_told() {
    let mut a = Node::new().await;
    let (other, addr) = plain(Keypair::generate()).await;
    let asked = crate::rig::answering(&other, speaking(&[PROTOCOL.as_str()]).encode().to_vec());
    let mut streams = other.subscribe::<sinew_core::StreamEvent>();
    a.host.connect(addr).await.expect("connects");
    a.next().await;
    a.host.set_stream_handler("/new", nothing).expect("free");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    while let Ok(Ok(Some(event))) = sinew_runtime::timeout(Duration::ZERO, streams.next()).await {
        if let sinew_core::StreamEvent::Opened { protocol, .. } = event {
            assert_eq!(protocol, PROTOCOL);
        }
    }
}

/// A node with identify and a peer that says what it is told to say, connected.
async fn pushed_to() -> (Node, Host, PeerId) {
    let node = Node::new().await;
    let (other, _) = plain(Keypair::generate()).await;
    let peer = other.connect(node.addr.clone()).await.expect("connects");
    sleep(Duration::from_secs(5)).await;
    (node, other, peer)
}

async fn push(from: &Host, to: &PeerId, protocols: &[&str]) {
    let mut stream = from.new_stream(to, [PUSH_PROTOCOL]).await.expect("opens");
    stream
        .write_all(&speaking(protocols).encode())
        .await
        .expect("takes it");
    stream.finish().await.expect("takes it");
}

#[tokio::test(start_paused = true)]
async fn the_first_push_is_taken_at_once_and_the_last_of_many_counts() {
    let (mut node, other, peer) = pushed_to().await;
    push(&other, &peer, &["/0"]).await;
    let start = now();
    assert_eq!(names(&node.next().await.info), ["/0"]);
    assert!(now() - start < Duration::from_millis(10));
    for name in ["/1", "/2", "/3"] {
        push(&other, &peer, &[name]).await;
    }
    assert_eq!(names(&node.next().await.info), ["/3"]);
    assert!(now() - start >= Duration::from_millis(990), "{:?}", now() - start);
    assert!(node.hears_nothing().await);
    assert_eq!(node.protocols_of(&other.peer_id()), Some(vec!["/3".into()]));
}

#[tokio::test(start_paused = true)]
async fn what_a_push_leaves_out_stays() {
    let (mut node, other, peer) = pushed_to().await;
    push(&other, &peer, &["/0"]).await;
    node.next().await;
    push(&other, &peer, &[]).await;
    assert_eq!(node.next().await.info.protocols, None);
    assert_eq!(node.protocols_of(&other.peer_id()), Some(vec!["/0".into()]));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pushes_is_taken_once_a_second_and_its_end_is_not_lost() {
    let (mut node, other, peer) = pushed_to().await;
    let asked = crate::rig::answering(&other, speaking(&["/the/end"]).encode().to_vec());
    let mut refused = 0;
    for second in 0..3 {
        for _ in 0..MAX_WAITING * 3 {
            let mut stream = other.new_stream(&peer, [PUSH_PROTOCOL]).await.expect("opens");
            stream
                .write_all(&speaking(&["/flood"]).encode())
                .await
                .expect("takes it");
            refused += usize::from(stream.finish().await.is_err());
        }
        sleep(Duration::from_secs(1)).await;
        assert!(other.peers().contains(&peer), "second {second}");
    }
    sleep(Duration::from_secs(5)).await;
    let mut taken = 0;
    while let Ok(Ok(Some(_))) = sinew_runtime::timeout(Duration::ZERO, node.news.next()).await {
        taken += 1;
    }
    // Of each second one push and one answer.
    assert!(
        taken <= 8,
        "{taken} of {} were taken, {refused} refused",
        MAX_WAITING * 9
    );
    assert!((1..=4).contains(&asked.load(Ordering::Relaxed)));
    assert_eq!(node.protocols_of(&other.peer_id()), Some(vec!["/the/end".into()]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_older_than_a_push_does_not_undo_it() {
    let mut node = Node::new().await;
    let (other, _) = plain(Keypair::generate()).await;
    let (pushed, asked) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (wait, count) = (pushed.clone(), asked.clone());
    let handler = move |mut stream: Stream| {
        let (wait, first) = (wait.clone(), count.fetch_add(1, Ordering::Relaxed) == 0);
        async move {
            if first {
                wait.notified().await;
            }
            let answer = speaking(&[if first { "/old" } else { "/new" }]);
            stream.write_all(&answer.encode()).await.expect("is read");
            stream.finish().await.expect("is read");
        }
    };
    other.set_stream_handler(PROTOCOL, handler).expect("free");
    let peer = other.connect(node.addr.clone()).await.expect("connects");
    sleep(Duration::from_secs(2)).await;
    push(&other, &peer, &["/new"]).await;
    assert_eq!(names(&node.next().await.info), ["/new"]);
    pushed.notify_one();
    assert_eq!(names(&node.next().await.info), ["/new"]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
