//! Negotiations that never end.

use super::{
    Aim,
    floods::flood,
    frames::{HEADER, begin, message},
    outcome::Outcome,
};
use tokio::task::JoinSet;

/// Connections that negotiate at once.
const CONNECTIONS: usize = 50;

/// Messages in one write, twice what a target should take in one negotiation.
const MESSAGES: usize = 128;

/// Connections that ask for protocols nobody serves, for ever, instead of a security protocol.
pub(super) async fn connections(aim: &Aim) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..CONNECTIONS {
        let aim = aim.clone();
        all.spawn(async move {
            let Ok(stream) = aim.connect(number).await else {
                return Outcome::default();
            };
            let Ok(io) = aim.carrier(stream).await else {
                return Outcome::default();
            };
            let mut first = true;
            flood(io, aim.lasting, move |out| {
                if std::mem::take(&mut first) {
                    out.extend(HEADER);
                }
                messages(out)
            })
            .await
        });
    }
    all.join_all().await
}

/// One connection that opens streams, each with a negotiation that leads nowhere.
pub(super) async fn streams(aim: &Aim) -> Outcome {
    let Ok(io) = aim.open(0).await else {
        return Outcome::default();
    };
    let (mut stream, mplex) = (1, aim.is_mplex());
    flood(io, aim.lasting, move |out| {
        let mut said = Vec::from(HEADER);
        let count = messages(&mut said);
        begin(mplex, stream, &said, out);
        stream += 2;
        count
    })
    .await
}

fn messages(out: &mut Vec<u8>) -> u64 {
    for number in 0..MESSAGES {
        let text = if number % 2 == 0 {
            "ls"
        } else {
            "/nobody/serves/this/1.0.0"
        };
        out.extend(message(text));
    }
    MESSAGES as u64
}
