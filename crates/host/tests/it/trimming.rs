//! Trimming by watermarks, and what tags are worth.

use crate::{
    places::{Somewhere, in_use, made_room, stranger},
    rig::{builder, echo, listening, started},
};
use sinew_core::{DialOptions, Tag};
use sinew_host::{Limits, StartError, Watermarks};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn above_the_high_watermark_the_worst_go_and_the_young_and_the_kept_stay() {
    let (server, addr) = listening(builder().watermarks(Watermarks::new(4, 8))).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let mut strangers = Vec::new();
    for _ in 0..8 {
        strangers.push(stranger(&addr).await);
    }
    server.protect(&strangers[0].0.peer_id(), "test");
    server.tag_peer(&strangers[1].0.peer_id(), "test", 1);
    let _stream = in_use(&strangers[2].1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.connections().len(), 8, "not above it");
    strangers.push(stranger(&addr).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (n, (host, _)) in strangers.iter().enumerate() {
        let stays = n < 3 || n == 8;
        assert_eq!(host.connections().len(), usize::from(stays), "{n}");
    }
    assert_eq!(server.trim(), 0, "no more than the low one are left");
}

#[tokio::test(start_paused = true)]
async fn strangers_who_use_all_inbound_places_keep_newcomers_out_for_no_longer_than_their_grace() {
    let (somewhere, mut limits) = (Somewhere::default(), Limits::default());
    limits.inbound_connections = 8;
    let (server, addr) = listening(somewhere.builder().limits(limits)).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let (mut strangers, mut streams) = (Vec::new(), Vec::new());
    for n in 0..8 {
        somewhere.next_is(&format!("/ip4/10.0.{n}.1/tcp/1"));
        strangers.push(stranger(&addr).await);
        streams.push(in_use(&strangers[n].1).await);
    }
    somewhere.next_is("/ip4/11.1.1.1/tcp/1");
    let early = started(builder()).await;
    early
        .connect(addr.clone())
        .await
        .expect_err("everybody is in use");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(server.connections().len(), 6, "three quarters are left");
    for n in 0..2 {
        somewhere.next_is(&format!("/ip4/11.1.{n}.1/tcp/1"));
        strangers.push(stranger(&addr).await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tag_is_worth_fades_and_inbound_goes_before_outbound() {
    let watermarks = Watermarks::new(2, 100).grace(Duration::ZERO).min_peers(1);
    let (server, addr) = listening(builder().watermarks(watermarks)).await;
    let (other, other_addr) = listening(builder()).await;
    let _outbound = server
        .dial(other_addr, DialOptions::default())
        .await
        .expect("connects");
    let (a, b) = (stranger(&addr).await, stranger(&addr).await);
    let fading = Tag::new("fading").linear(1, Duration::from_secs(1));
    server.tag_peer(&a.0.peer_id(), fading, 10);
    server.tag_peer(&b.0.peer_id(), "steady", 2);
    server.upsert_tag(&b.0.peer_id(), "steady", |value| value + 3);
    server.tag_peer(&other.peer_id(), "steady", 5);
    let worth = |peer| server.peer_worth(&peer);
    assert_eq!((worth(a.0.peer_id()), worth(b.0.peer_id())), (10, 5));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!((worth(a.0.peer_id()), worth(b.0.peer_id())), (5, 5));
    assert_eq!(server.trim(), 1);
    assert!(
        made_room(&a.1).await,
        "of three that are worth as much, the inbound one that came first"
    );
    server.untag_peer(&other.peer_id(), "steady");
    assert_eq!(server.trim(), 0, "two may stay");
    let server_side = server.connections();
    assert_eq!(server_side.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tagged_peer_makes_no_room_for_newcomers() {
    let mut limits = Limits::default();
    limits.inbound_connections = 2;
    let (server, addr) = listening(builder().limits(limits).watermarks(Watermarks::new(2, 2))).await;
    let (worthy, stays) = stranger(&addr).await;
    server.tag_peer(&worthy.peer_id(), "test", 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_unworthy, goes) = stranger(&addr).await;
    let (_newcomer, _connection) = stranger(&addr).await;
    assert!(made_room(&goes).await && !made_room(&stays).await);
}

#[tokio::test(start_paused = true)]
async fn watermarks_that_contradict_the_limits_are_refused_at_the_start() {
    let limits = Limits::default();
    let all = limits.inbound_connections + limits.outbound_connections;
    for (low, high, fits) in [(1, all, true), (1, all + 1, false), (5, 4, false)] {
        let started = builder().watermarks(Watermarks::new(low, high)).start().await;
        assert_eq!(started.is_ok(), fits, "{low} {high}");
        if let Err(error) = started {
            assert!(matches!(error, StartError::Watermarks { .. }), "{error}");
        }
    }
    started(builder()).await;
}
