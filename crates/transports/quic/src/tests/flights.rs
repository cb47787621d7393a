//! How many times the network is crossed, told by a clock that only the network moves.

use std::{sync::Arc, time::Duration};

use sinew_core::{Refusal, Unlimited};
use sinew_runtime::{TaskScope, now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    net::Network,
    rig::{dial, finish, incoming, listening, serve},
};
use crate::Config;

const LATENCY: Duration = Duration::from_millis(50);

const ROUND_TRIP: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn the_first_byte_of_an_answer_takes_two_round_trips() {
    let network = Network::new(LATENCY);
    let [ours, theirs] = [(); 2].map(|()| network.node(Config::default()));
    let (listener, addr) = listening(&theirs).await;
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    let begun = now();
    let connection = dial(&ours, &addr).await.expect("connects");
    assert_eq!(rounded(now() - begun), ROUND_TRIP, "the handshake");
    let mut stream = connection.muxed.handle.open().await.expect("opens");
    stream.write_all(b"request").await.expect("written");
    stream.read_u8().await.expect("answered");
    assert_eq!(rounded(now() - begun), 2 * ROUND_TRIP, "handshake and request");
}

#[tokio::test(start_paused = true)]
async fn a_retry_costs_one_more_and_proves_the_address() {
    let network = Network::new(LATENCY);
    let [ours, theirs] = [(); 2].map(|()| network.node(Config::default()));
    let (mut listener, addr) = listening(&theirs).await;
    let begun = now();
    let accepting = async {
        let first = incoming(&mut *listener).await;
        assert!(!first.is_validated());
        first.refuse(Refusal::Retry);
        let second = incoming(&mut *listener).await;
        assert!(second.is_validated());
        finish(second, Arc::new(Unlimited)).await
    };
    let (dialled, accepted) = tokio::join!(
        async {
            let dialled = dial(&ours, &addr).await;
            (dialled, now() - begun)
        },
        accepting
    );
    assert_eq!(rounded(dialled.1), 2 * ROUND_TRIP);
    dialled.0.expect("connects");
    accepted.expect("accepts");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_proved_an_address_is_not_sent_away_again() {
    let network = Network::new(LATENCY);
    let [ours, theirs] = [(); 2].map(|()| network.node(Config::default()));
    let (mut listener, addr) = listening(&theirs).await;
    let accepting = async {
        incoming(&mut *listener).await.refuse(Refusal::Retry);
        incoming(&mut *listener).await.refuse(Refusal::Retry);
    };
    let (dialled, ()) = tokio::join!(dial(&ours, &addr), accepting);
    // A second Retry is against the protocol (RFC 9000, section 17.2.5): it is a refusal.
    assert!(dialled.expect_err("refused").to_string().contains("refuses"));
}

/// Timers have a grain of a millisecond.
fn rounded(duration: Duration) -> Duration {
    let millis = u64::try_from(duration.as_millis()).expect("short");
    Duration::from_millis(millis / 10 * 10)
}
