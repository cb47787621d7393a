//! Allow and deny lists, and how often a source may connect.

use crate::{
    places::{Somewhere, in_use, stranger},
    rig::{builder, echo, listening, started},
};
use sinew_core::{
    CloseReason, ConnectionEvent, ConnectionGater, ConnectionInfo, DialOptions, Multiaddr, Verdict, code,
};
use sinew_host::{
    Limits, Rate,
    access::{Access, AccessError, AccessList, Target},
};
use std::{
    fs,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::sync::watch;

#[tokio::test(start_paused = true)]
async fn who_is_denied_is_neither_let_in_nor_dialled_and_leaves_at_once() {
    let (somewhere, list) = (Somewhere::default(), AccessList::default());
    let (server, addr) = listening(somewhere.builder().gater(list.clone())).await;
    somewhere.next_is("/ip4/1.2.3.4/tcp/1");
    let (by_address, one) = stranger(&addr).await;
    somewhere.next_is("/ip4/5.6.7.8/tcp/1");
    let (by_peer, two) = stranger(&addr).await;
    list.deny("1.2.3.0/24".parse().expect("a target"))
        .expect("in memory");
    list.deny(by_peer.peer_id().into()).expect("in memory");
    for closed in [one.closed().await, two.closed().await] {
        assert!(
            matches!(closed, CloseReason::Remote(code) if code == code::connection::GATED),
            "{closed}"
        );
    }
    let mut events = server.subscribe::<ConnectionEvent>();
    for (host, from, layer) in [
        (&by_address, "1.2.3.9", "transport"),
        (&by_peer, "9.9.9.9", "security"),
    ] {
        while !host.connections().is_empty() {
            tokio::task::yield_now().await;
        }
        somewhere.next_is(&format!("/ip4/{from}/tcp/1"));
        host.connect(addr.clone()).await.expect_err("denied");
        let event = events.next().await.expect("not lagged").expect("alive");
        let ConnectionEvent::InboundFailed { error, .. } = event else {
            panic!("{event:?}")
        };
        assert!(error.to_string().contains(layer), "{error}");
    }
    let dialled = server.connect((by_peer.peer_id(), vec![addr.clone()])).await;
    let error = dialled.expect_err("denied").to_string();
    assert!(error.contains("gater"), "{error}");
    list.forget(&by_peer.peer_id().into()).expect("in memory");
    by_peer.connect(addr).await.expect("as everybody may");
}

/// Lets the second connection in and changes its mind before anybody hears of it.
#[derive(Debug)]
struct Fickle {
    questions: AtomicUsize,
    asked_again: Barrier,
    changes: watch::Sender<()>,
}

impl ConnectionGater for Fickle {
    fn on_established(&self, _: &ConnectionInfo) -> Verdict {
        match self.questions.fetch_add(1, Ordering::SeqCst) {
            0 => Verdict::Allow,
            1 => {
                // Who is woken from here would wait for this very thread.
                thread::scope(|threads| drop(threads.spawn(|| self.changes.send_replace(()))));
                self.asked_again.wait();
                Verdict::Allow
            }
            // The first one again: the table was looked at, and the second was not in it.
            2 => {
                self.asked_again.wait();
                Verdict::Allow
            }
            _ => Verdict::Deny,
        }
    }

    fn changes(&self) -> Option<watch::Receiver<()>> {
        Some(self.changes.subscribe())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_denied_while_it_comes_in_does_not_stay() {
    let gater = Fickle {
        questions: AtomicUsize::new(0),
        asked_again: Barrier::new(2),
        changes: watch::Sender::new(()),
    };
    let (_server, addr) = listening(builder().gater(gater)).await;
    let (_first, stays) = stranger(&addr).await;
    let late = started(builder()).await;
    // The dialler may be done before the listener is.
    if let Ok(goes) = late.dial(addr, DialOptions::default()).await {
        let closed = tokio::time::timeout(Duration::from_secs(10), goes.closed()).await;
        let reason = closed.expect("it stays");
        assert!(
            matches!(reason, CloseReason::Remote(code) if code == code::connection::GATED),
            "{reason}"
        );
    }
    stays.open(["/none"]).await.expect("it is open");
}

#[tokio::test(start_paused = true)]
async fn who_is_allowed_counts_against_no_limit_of_its_source_and_makes_no_room() {
    let (somewhere, list) = (Somewhere::default(), AccessList::default());
    let mut limits = Limits::default();
    (limits.inbound_connections, limits.inbound_per_address) = (4, 2);
    limits.inbound_rate_per_address = Rate::new(2, 3_600_000);
    let server = somewhere.builder().limits(limits).gater(list.clone());
    let (server, addr) = listening(server).await;
    server.set_stream_handler("/echo", echo).expect("free");
    list.allow("1.2.3.4".parse().expect("a target"))
        .expect("in memory");
    let mut friends = Vec::new();
    for _ in 0..3 {
        somewhere.next_is("/ip4/1.2.3.4/tcp/1");
        friends.push(stranger(&addr).await);
    }
    somewhere.next_is("/ip4/5.6.7.8/tcp/1");
    let (_held, held) = stranger(&addr).await;
    let _stream = in_use(&held).await;
    somewhere.next_is("/ip4/9.9.9.9/tcp/1");
    let late = started(builder()).await;
    late.connect(addr).await.expect_err("friends make no room");
    assert_eq!(server.connections().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_often_is_refused_before_any_handshake_and_may_come_again() {
    let somewhere = Somewhere::default();
    let mut limits = Limits::default();
    limits.inbound_rate_per_address = Rate::new(2, 10_000);
    limits.inbound_rate_per_subnet = Rate::new(3, 10_000);
    let (server, addr) = listening(somewhere.builder().limits(limits)).await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let come = |from: &'static str| {
        somewhere.next_is(&format!("/ip4/{from}/tcp/1"));
        let addr = addr.clone();
        async move { started(builder()).await.connect(addr).await.is_ok() }
    };
    let mut got = Vec::new();
    for from in ["1.2.3.4", "1.2.3.4", "1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.4.4"] {
        got.push(come(from).await);
    }
    assert_eq!(got, [true, true, false, true, false, true]);
    let mut reasons = Vec::new();
    while let Ok(Ok(Some(event))) = tokio::time::timeout(Duration::from_secs(1), events.next()).await {
        if let ConnectionEvent::InboundFailed { error, .. } = event {
            reasons.push(error.to_string());
        }
    }
    assert!(reasons[0].contains("of 1.2.3.4 at once"), "{reasons:?}");
    assert!(reasons[1].contains("of 1.2.3.0/24 at once"), "{reasons:?}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(come("1.2.3.4").await, "one more each ten seconds");
}

fn parse(text: &str) -> Target {
    text.parse().expect("a target")
}

#[test]
fn lists_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access");
    let list = AccessList::create(&path).expect("none yet");
    list.deny(parse("203.0.113.0/24")).expect("written");
    list.allow(parse("203.0.113.7")).expect("written");
    list.deny(parse("2001:db8::1")).expect("written");
    list.forget(&parse("2001:db8::1")).expect("written");
    let again = AccessList::open(&path).expect("well-formed");
    let rules = [
        (parse("203.0.113.0/24"), Access::Deny),
        (parse("203.0.113.7"), Access::Allow),
    ];
    assert_eq!((again.rules(), list.rules()), (rules.to_vec(), rules.to_vec()));
    let files = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(files, 1, "nothing else is left beside it");
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("place");
    fs::create_dir(&place).expect("made");
    let list = AccessList::create(place.join("access")).expect("made");
    fs::remove_dir_all(&place).expect("removed");
    let error = list.deny(parse("1.2.3.4")).expect_err("there is no folder");
    assert!(matches!(error, AccessError::Io { .. }), "{error}");
    assert_eq!(list.rules(), []);
}

#[test]
fn lists_do_not_become_empty_by_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access");
    let missing = AccessList::open(&path).expect_err("missing");
    assert!(missing.to_string().contains("access"), "{missing}");
    AccessList::create(&path)
        .expect("new")
        .deny(parse("1.2.3.4"))
        .expect("written");
    AccessList::create(&path).expect_err("there is one already");
    for damaged in [b"deny 1.2.3.4\ndeny 1.2.3\n".as_slice(), b"deny 1.2.3.4\n\xff\n"] {
        fs::write(&path, damaged).expect("written");
        for _ in 0..2 {
            let error = AccessList::open(&path).expect_err("damaged, however often it is opened");
            assert!(
                error.to_string().contains("line 2") && error.to_string().contains("mend it"),
                "{error}"
            );
            assert_eq!(fs::read(&path).expect("still there"), damaged);
        }
    }
    fs::write(&path, "deny 1.2.3.4\ndeny 1.2.3.0/24\n").expect("mended");
    assert_eq!(AccessList::open(&path).expect("mended").rules().len(), 2);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_edited_file_is_read_again_and_a_damaged_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access");
    let (somewhere, list) = (Somewhere::default(), AccessList::create(&path).expect("new"));
    let (_server, addr) = listening(somewhere.builder().gater(list.clone())).await;
    somewhere.next_is("/ip4/1.2.3.4/tcp/1");
    let (_stranger, connection) = stranger(&addr).await;
    fs::write(&path, "deny 5.6.7.8\nden 1.2.3.4").expect("written");
    list.reload().expect_err("damaged");
    fs::remove_file(&path).expect("removed");
    list.reload().expect_err("missing");
    assert_eq!(list.rules(), []);
    fs::write(&path, "deny 1.2.3.4").expect("written");
    list.reload().expect("well-formed");
    let closed = connection.closed().await;
    assert!(
        matches!(closed, CloseReason::Remote(code) if code == code::connection::GATED),
        "{closed}"
    );
}

#[test]
fn an_address_is_one_component() {
    let zone: Multiaddr = "/ip6zone/eth0/ip6/fe80::1/tcp/1".parse().expect("an address");
    let list = AccessList::from_text("deny fe80::/10").expect("well-formed");
    assert_eq!(list.on_accept(&zone, &zone), Verdict::Deny);
}
