//! Two honest nodes.

use crate::rig::{Node, names, plain};
use sinew_core::{DialOptions, Stream};
use sinew_identify::{Config, Extent, IdentifyError, PROTOCOL, PUSH_PROTOCOL, Record};
use sinew_identity::Keypair;
use sinew_runtime::{now, sleep};
use std::time::Duration;

/// What `a` knows of `b` once it was told.
async fn knows(a: &mut Node, b: &Node) {
    let told = a.next().await;
    let info = told.info;
    assert_eq!((info.peer, told.extent), (b.peer(), Extent::Whole));
    assert_eq!(info.key, *b.host.public_key());
    assert!(
        info.agent_version
            .as_deref()
            .is_some_and(|agent| agent.starts_with("sinew/"))
    );
    assert_eq!(info.protocol_version, None);
    assert_eq!(info.listen_addrs, std::slice::from_ref(&b.addr));
    assert_eq!(names(&info), [PROTOCOL.as_str(), PUSH_PROTOCOL.as_str()]);
    assert_eq!(info.observed_addr.as_ref(), Some(&a.host.connections()[0].local));
    assert!(matches!(&info.record, Record::Valid { record, .. } if record.addrs() == [b.addr.clone()]));
    // The event comes after the host knows.
    let known = a.host.peerstore().info(&b.peer(), now()).expect("known");
    assert_eq!(known.protocols, info.protocols);
    assert!(known.addrs.contains(&b.addr) && known.record.is_some());
    assert_eq!(
        (known.agent, known.key),
        (info.agent_version.clone(), Some(info.key.clone()))
    );
}

async fn identify_each_other(one: Keypair, other: Keypair) {
    let (mut a, mut b) = (Node::with_key(one).await, Node::with_key(other).await);
    a.host.connect(b.addr.clone()).await.expect("connects");
    knows(&mut a, &b).await;
    knows(&mut b, &a).await;
    assert!(
        a.hears_nothing().await && b.hears_nothing().await,
        "asked once, and nothing changed"
    );
}

#[tokio::test(start_paused = true)]
async fn both_sides_know_each_other_with_every_kind_of_key() {
    identify_each_other(Keypair::generate(), Keypair::generate_secp256k1()).await;
    let rsa = Keypair::generate_rsa(2048).expect("a size that is supported");
    identify_each_other(Keypair::generate_ecdsa(), rsa).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_says_what_is_so_now() {
    let (mut a, b) = (Node::new().await, Node::new().await);
    let peer = a.host.connect(b.addr.clone()).await.expect("connects");
    a.next().await;
    b.host
        .set_stream_handler("/late/1", |_: Stream| async {})
        .expect("free");
    let info = a.identify.identify(peer).await.expect("answers");
    assert!(names(&info).contains(&"/late/1".to_owned()));
    let connection = a.host.connection(&peer).expect("connected");
    assert_eq!(connection.info().id, info.connection);
    let again = a.identify.identify_on(&connection).await.expect("answers");
    let seq = |record: &Record| match record {
        Record::Valid { record, .. } => record.seq(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        seq(&again.record),
        seq(&info.record),
        "the same addresses are not signed again"
    );
    b.host
        .listen("/memory/0".parse::<sinew_core::Multiaddr>().expect("an address"))
        .await
        .expect("listens");
    let moved = a.identify.identify(peer).await.expect("answers");
    assert!(seq(&moved.record) > seq(&info.record));
    assert_eq!(moved.listen_addrs.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn identify_dials_whom_it_is_asked_for() {
    let (a, b) = (Node::new().await, Node::new().await);
    let unknown = a.identify.identify(b.peer()).await;
    assert!(matches!(unknown, Err(IdentifyError::Dial(_))));
    let lifetime = sinew_core::Lifetime::Permanent;
    a.host
        .peerstore()
        .add_addrs(&b.peer(), std::slice::from_ref(&b.addr), lifetime, now());
    assert_eq!(
        a.identify.identify(b.peer()).await.expect("answers").peer,
        b.peer()
    );
}

#[tokio::test(start_paused = true)]
async fn the_application_names_itself_behind_the_implementation() {
    let mut a = Node::new().await;
    let config = Config::default()
        .application("probe/2.1")
        .protocol_version("/probes/1");
    let b = Node::with(Keypair::generate(), config).await;
    a.host.connect(b.addr.clone()).await.expect("connects");
    let info = a.next().await.info;
    assert!(
        info.agent_version
            .as_deref()
            .is_some_and(|agent| agent.ends_with(" probe/2.1"))
    );
    assert_eq!(info.protocol_version.as_deref(), Some("/probes/1"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_speak_it_is_left_alone() {
    let mut a = Node::new().await;
    let (other, addr) = plain(Keypair::generate()).await;
    let peer = a.host.connect(addr).await.expect("connects");
    assert!(a.hears_nothing().await);
    let refused = a.identify.identify(peer).await;
    assert!(matches!(refused, Err(IdentifyError::Open(_))), "{refused:?}");
    assert_eq!((a.host.peers().len(), other.peers().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_identified_may_idle() {
    let (mut a, mut b) = (Node::new().await, Node::new().await);
    a.host.connect(b.addr.clone()).await.expect("connects");
    a.next().await;
    b.next().await;
    sleep(Duration::from_secs(700)).await;
    assert_eq!((a.host.connections().len(), b.host.connections().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_connection_is_asked_and_asked_again_after_a_return() {
    let (mut a, b) = (Node::new().await, Node::new().await);
    for _ in 0..3 {
        let peer = a.host.connect(b.addr.clone()).await.expect("connects");
        assert_eq!(a.next().await.info.peer, peer);
        a.host.disconnect(&peer);
        sleep(Duration::from_secs(1)).await;
    }
    // By address alone, each dial makes a connection.
    let mut kept = Vec::new();
    for _ in 0..3 {
        let connection = a.host.dial(b.addr.clone(), DialOptions::default()).await;
        kept.push(connection.expect("connects"));
    }
    let mut told = [a.next().await, a.next().await, a.next().await].map(|told| told.info.connection);
    told.sort_unstable();
    let mut ids: Vec<_> = kept.iter().map(|connection| connection.info().id).collect();
    ids.sort_unstable();
    assert_eq!(told[..], ids[..]);
    let probe = DialOptions::default().purpose(sinew_core::Purpose::Probe);
    let _probe = a.host.dial(b.addr.clone(), probe).await.expect("connects");
    assert!(a.hears_nothing().await, "a probe is nobody's but its asker's");
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_nobody_and_leaves_no_task() {
    let a = Node::new().await;
    let (silent, addr) = plain(Keypair::generate()).await;
    silent
        .set_stream_handler(PROTOCOL, |stream: Stream| async move {
            std::future::pending::<()>().await;
            drop(stream);
        })
        .expect("free");
    let peer = a.host.connect(addr).await.expect("connects");
    let mut half = silent
        .new_stream(&a.peer(), [PUSH_PROTOCOL])
        .await
        .expect("opens");
    half.write_all(&[100]).await.expect("takes it");
    sleep(Duration::from_secs(2)).await;
    assert!(a.host.connection(&peer).is_some());
    let before = now();
    a.host.shutdown(Duration::from_secs(30)).await;
    assert!(now() - before < Duration::from_secs(2), "{:?}", now() - before);
    drop(half);
    silent.shutdown(Duration::ZERO).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "no task is left");
}
