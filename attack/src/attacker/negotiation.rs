//! Negotiations that never end.

use super::{
    Aim, channel,
    floods::flood,
    frames::{HEADER, SYN, data, message},
    outcome::Outcome,
    source,
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
            let Ok(stream) = channel::connect(source(number), aim.place.socket).await else {
                return Outcome::default();
            };
            let mut first = true;
            flood(Box::new(stream), aim.lasting, move |out| {
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
    let Ok(io) = channel::open(source(0), aim.place.socket).await else {
        return Outcome::default();
    };
    let mut stream = 1;
    flood(io, aim.lasting, move |out| {
        let mut said = Vec::from(HEADER);
        let count = messages(&mut said);
        data(SYN, stream, &said, out);
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
