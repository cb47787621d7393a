//! Crowds of connections that take a place and do nothing with it.

use super::{
    Aim,
    channel::Muxer,
    frames::HEADER,
    outcome::{Outcome, ended, rest},
};
use crate::rows::Stack;
use sinew_core::BoxedIo;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, sync::Semaphore, task::JoinSet};

/// Connections that are being made at once: beyond a listener's backlog the attack would wait for itself.
const AT_ONCE: usize = 256;

/// Longer than the longest deadline for an inbound connection of any target.
const LONG_ENOUGH: Duration = Duration::from_secs(12);

/// Where a connection stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stall {
    /// Connected, and not a byte.
    Silent,
    /// A byte a second of a good negotiation.
    Slow,
    /// The first Noise message and not the third, or the head of a TLS message.
    InSecurity,
    /// The handshake is done, and no muxer is agreed on.
    AfterSecurity,
    /// A whole connection that nobody uses.
    Idle,
}

/// Makes `count` such connections from `addresses`, and holds each until the target ends it or its time is over.
pub(super) async fn crowd(aim: &Aim, stall: Stall, count: usize, addresses: usize) -> Vec<Outcome> {
    let (gate, mut all) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for number in 0..count {
        all.spawn(one(aim.clone(), stall, number % addresses, gate.clone()));
    }
    all.join_all().await
}

async fn one(aim: Aim, stall: Stall, number: usize, gate: Arc<Semaphore>) -> Outcome {
    let within = match stall {
        Stall::Idle => aim.lasting,
        _ => aim.lasting.max(LONG_ENOUGH),
    };
    let Ok(permit) = gate.acquire().await else {
        return Outcome::default();
    };
    let Ok(mut stream) = aim.connect(number).await else {
        return Outcome::default();
    };
    let from = Instant::now();
    let cut = match stall {
        Stall::Silent => {
            drop(permit);
            ended(&mut stream, from, within).await
        }
        Stall::Slow => {
            drop(permit);
            trickle(stream, from, within).await
        }
        Stall::InSecurity => {
            let begun = first_message(&aim, stream).await;
            drop(permit);
            let Ok(mut io) = begun else {
                return Outcome::of(Some(from.elapsed()), 0);
            };
            ended(&mut io, from, within).await
        }
        Stall::AfterSecurity | Stall::Idle => {
            let muxer = if stall == Stall::Idle {
                Muxer::Agreed
            } else {
                Muxer::Never
            };
            let secured = aim.secure(stream, muxer).await;
            drop(permit);
            let Ok(mut io) = secured else {
                return Outcome::of(Some(from.elapsed()), 0);
            };
            ended(&mut io, from, within).await
        }
    };
    Outcome::of(cut, 1)
}

/// Says as little as a second allows, until the target ends it.
async fn trickle(stream: tokio::net::TcpStream, from: Instant, within: Duration) -> Option<Duration> {
    let (mut reader, mut writer) = stream.into_split();
    let talking = async {
        for byte in HEADER {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        rest(from, within).await;
    };
    tokio::select! {
        cut = ended(&mut reader, from, within) => cut,
        () = talking => None,
    }
}

/// Agrees on Noise and sends an ephemeral key, so that the target has to answer it; or on TLS, and announces 512 bytes.
async fn first_message(aim: &Aim, stream: tokio::net::TcpStream) -> io::Result<BoxedIo> {
    let mut io = aim.before_security(stream).await?;
    let mut message = vec![0, 32];
    let mut ephemeral = [0; 32];
    sinew_crypto::random(&mut ephemeral);
    message.extend(ephemeral);
    if aim.stack == Stack::TcpTls {
        message = vec![22, 3, 1, 2, 0];
    }
    io.write_all(&message).await?;
    io.flush().await?;
    Ok(io)
}
