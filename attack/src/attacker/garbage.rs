//! Random bytes where a layer expects its own.

use super::{
    Aim,
    channel::{self, Muxer, PATIENCE},
    outcome::{Outcome, ended},
    source,
};
use sinew_core::BoxedIo;
use sinew_multistream::select;
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
    /// Instead of the first negotiation.
    Multistream,
    /// Instead of the first handshake message, of the greatest announced length.
    Noise,
    /// Instead of the first frame.
    Yamux,
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
    let mut stream = channel::connect(source(number % ADDRESSES), aim.place.socket).await?;
    let mut io: BoxedIo = match place {
        Place::Multistream => Box::new(stream),
        Place::Noise => {
            let agreed = select(&mut stream, vec![sinew_noise::PROTOCOL], PATIENCE).await;
            agreed.map_err(io::Error::other)?;
            Box::new(stream)
        }
        Place::Yamux => channel::secure(stream, Muxer::Agreed).await?,
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
