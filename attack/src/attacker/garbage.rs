//! Random bytes where a layer expects its own.

use super::{
    Aim,
    channel::Muxer,
    outcome::{Outcome, ended},
};
use sinew_core::BoxedIo;
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, task::JoinSet};

/// Connections of one row.
const CONNECTIONS: usize = 200;

/// Addresses they come from.
const ADDRESSES: usize = 50;

/// Longer than any deadline.
const LONG_ENOUGH: Duration = Duration::from_secs(12);

/// The layer that gets the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Instead of the first negotiation, or of the request for a WebSocket.
    Multistream,
    /// Instead of the first handshake message: in Noise of the greatest announced length, in TLS of no known kind.
    Security,
    /// Instead of the first frame.
    Muxer,
}

/// Sends garbage over many connections.
pub(super) async fn run(aim: &Aim, place: Place) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..CONNECTIONS {
        let aim = aim.clone();
        all.spawn(async move { one(&aim, place, number).await.unwrap_or_default() });
    }
    all.join_all().await
}

async fn one(aim: &Aim, place: Place, number: usize) -> io::Result<Outcome> {
    let stream = aim.connect(number % ADDRESSES).await?;
    let mut io: BoxedIo = match place {
        Place::Multistream => Box::new(stream),
        Place::Security => aim.before_security(stream).await?,
        Place::Muxer => aim.secure(stream, Muxer::Agreed).await?,
    };
    let mut garbage = [0; 64];
    sinew_crypto::random(&mut garbage);
    // Never by chance the right first byte; for Noise the length of a message.
    garbage[0] = 0xff;
    let from = Instant::now();
    io.write_all(&garbage).await?;
    io.flush().await?;
    let cut = ended(&mut io, from, aim.lasting.max(LONG_ENOUGH)).await;
    Ok(Outcome::of(cut, 1))
}
