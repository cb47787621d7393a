//! The attacker: one row at a time, against one target.

mod breaches;
mod certificates;
mod channel;
mod comers;
mod floods;
mod frames;
mod garbage;
mod handshakes;
mod liars;
mod negotiation;
mod outcome;
mod pings;
mod pubsub;
mod quic;
mod stalls;
mod unread;

use crate::{control::Requests, error::AttackError, node::Place, rows::Stack};
use outcome::Outcome;
use std::{net::Ipv4Addr, time::Duration};

/// What an attack knows of its target.
#[derive(Clone, Debug)]
struct Aim {
    place: Place,
    lasting: Duration,
    stack: Stack,
}

/// The attackers' addresses: none of them is the honest peers'.
fn source(number: usize) -> Ipv4Addr {
    let octet = |n: usize| u8::try_from(1 + n % 250).unwrap_or(1);
    Ipv4Addr::new(127, 0, octet(number / 250), octet(number).saturating_add(1))
}

/// Attacks once when asked to, answers with what became of it, and holds its connections no longer than that.
pub(crate) async fn run(row: &str, target: &str, stack: Stack, seconds: u64) -> Result<(), AttackError> {
    let aim = Aim {
        place: Place::parse(target)?,
        lasting: Duration::from_secs(seconds),
        stack,
    };
    let mut requests = Requests::ready();
    while let Some(request) = requests.next().await? {
        match attack(row, &aim).await {
            Ok(outcomes) => request.ok(&outcome::summary(&outcomes)),
            Err(error) => request.error(&error.to_string()),
        }
    }
    Ok(())
}

async fn attack(row: &str, aim: &Aim) -> Result<Vec<Outcome>, AttackError> {
    use stalls::Stall;
    Ok(match row {
        "silent-one-address" => stalls::crowd(aim, Stall::Silent, 5_000, 1).await,
        "silent-fifty-addresses" => stalls::crowd(aim, Stall::Silent, 5_000, 50).await,
        "slow" => stalls::crowd(aim, Stall::Slow, 1_000, 50).await,
        "stuck-in-security" => stalls::crowd(aim, Stall::InSecurity, 2_000, 50).await,
        "stuck-after-security" => stalls::crowd(aim, Stall::AfterSecurity, 2_000, 50).await,
        "idle-peers" => stalls::crowd(aim, Stall::Idle, 3_000, 100).await,
        "peers-of-one" => comers::of_one_peer(aim, 500, 50).await,
        "connect-and-close" => comers::without_end(aim).await,
        "flood-syn" => vec![floods::run(aim, floods::Kind::Syn).await],
        "flood-reset" => vec![floods::run(aim, floods::Kind::Reset).await],
        "flood-ping" => vec![floods::run(aim, floods::Kind::Ping).await],
        "flood-empty" => vec![floods::run(aim, floods::Kind::Empty).await],
        "flood-unknown" => vec![floods::run(aim, floods::Kind::Unknown).await],
        "flood-cancel" => vec![negotiation::cancelled(aim).await],
        "overrun" => breaches::run(aim, breaches::Kind::Overrun).await,
        "overflow" => breaches::run(aim, breaches::Kind::Overflow).await,
        "giant-length" => breaches::run(aim, breaches::Kind::Giant).await,
        "unread-one-peer" => unread::run(aim, 1, 1_000).await,
        "unread-twenty-peers" => unread::run(aim, 20, 200).await,
        "endless-negotiation" => negotiation::connections(aim).await,
        "endless-negotiation-streams" => vec![negotiation::streams(aim).await],
        "garbage-multistream" => garbage::run(aim, garbage::Place::Multistream).await,
        "garbage-security" => garbage::run(aim, garbage::Place::Security).await,
        "garbage-muxer" => garbage::run(aim, garbage::Place::Muxer).await,
        "identify-wrong-key" => liars::wrong_key(aim).await?,
        "identify-huge" => liars::huge(aim).await?,
        "quic-garbage" => quic::rubbish(aim, quic::Rubbish::Garbage).await,
        "quic-versions" => quic::rubbish(aim, quic::Rubbish::Versions).await,
        "quic-initial-flood" => quic::initial_flood(aim).await,
        "quic-half-open" => quic::half_open(aim, 2_000).await,
        "ping-streams" => pings::left_alone(aim).await,
        "bad-noise" => handshakes::bad(aim).await,
        "bad-certificates" => certificates::bad(aim).await?,
        "identify-push-blind" => vec![floods::pushes(aim).await],
        "identify-push-flood" => vec![liars::push_flood(aim).await?],
        others => pubsub::run(aim, others).await?,
    })
}
