//! Whole connections: too many of one peer, and those that come and go without end.

use super::{
    Aim,
    channel::Muxer,
    outcome::{Outcome, ended},
};
use sinew_identity::Keypair;
use std::{sync::Arc, time::Instant};
use tokio::{sync::Semaphore, task::JoinSet};

/// Connections that are being made at once.
const AT_ONCE: usize = 16;

/// Makes `count` connections of one identity from `addresses`, and holds each until the target ends it or the attack is
/// over.
pub(super) async fn of_one_peer(aim: &Aim, count: usize, addresses: usize) -> Vec<Outcome> {
    let (key, gate) = (Arc::new(Keypair::generate()), Arc::new(Semaphore::new(AT_ONCE)));
    let mut all = JoinSet::new();
    for number in 0..count {
        let (aim, key, gate) = (aim.clone(), key.clone(), gate.clone());
        all.spawn(async move {
            let permit = gate.acquire().await;
            let Ok(stream) = aim.connect(number % addresses).await else {
                return Outcome::default();
            };
            let from = Instant::now();
            let secured = aim.secure_as(&key, stream, Muxer::Agreed).await;
            drop(permit);
            match secured {
                Ok(mut io) => Outcome::of(ended(&mut io, from, aim.lasting).await, 1),
                Err(_) => Outcome::of(Some(from.elapsed()), 0),
            }
        });
    }
    all.join_all().await
}

/// Connects, does the whole handshake, closes, and begins again: each of a fresh identity, all from one address.
pub(super) async fn without_end(aim: &Aim) -> Vec<Outcome> {
    let (mut all, until) = (JoinSet::new(), Instant::now() + aim.lasting);
    for _ in 0..AT_ONCE {
        let aim = aim.clone();
        all.spawn(async move {
            let (mut outcome, mut tried) = (Outcome::default(), 0_u64);
            while Instant::now() < until {
                tried += 1;
                outcome.made |= visit(&aim).await.is_ok();
                outcome.sent = tried;
            }
            outcome
        });
    }
    all.join_all().await
}

async fn visit(aim: &Aim) -> std::io::Result<()> {
    let stream = aim.connect(0).await?;
    // Without it, this machine would run out of ports before the target has felt anything.
    stream.set_zero_linger()?;
    aim.secure(stream, Muxer::Agreed).await.map(drop)
}
