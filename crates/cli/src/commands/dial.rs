//! `sinew dial`: connects once, and says how.

use crate::{
    args::KeyArgs,
    error::{CliError, Kind},
    local,
    output::{Output, time},
};
use serde_json::{Value, json};
use sinew::{
    Attempt, ConnectionInfo, Culpable, DialError, DialOptions, DialReport, DialTarget, Multiaddr, PeerId,
    addr,
};
use std::{path::Path, time::Duration};

/// Whom to dial, as it is typed.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Addr(Multiaddr),
    Peer(PeerId),
}

/// An address, or a peer id.
pub(crate) fn target(text: &str) -> Result<Target, String> {
    match (text.parse(), addr::parse(text)) {
        (Ok(peer), _) => Ok(Target::Peer(peer)),
        (_, Ok(addr)) => Ok(Target::Addr(addr)),
        (_, Err(error)) => Err(format!(
            "{error}; a target is a peer id, or an address such as /ip4/192.0.2.1/tcp/4001"
        )),
    }
}

pub(crate) async fn run(
    targets: Vec<Target>,
    explain: bool,
    peerstore: Option<&Path>,
    key: &KeyArgs,
    output: &Output,
) -> Result<(), CliError> {
    let target = whom(targets)?;
    let mut builder = local::dialler(key)?;
    if let Some(path) = peerstore {
        builder = builder.peerstore_at(path).map_err(local::peerstore_error)?;
    }
    let host = local::start(builder).await?;
    let report = host.explain(target, DialOptions::default()).await;
    if explain {
        tell_attempts(&report, output);
    }
    let outcome = tell_outcome(&report, output);
    host.shutdown(Duration::from_secs(1)).await;
    outcome
}

/// One peer id, or addresses, or both.
fn whom(targets: Vec<Target>) -> Result<DialTarget, CliError> {
    let (mut peers, mut addrs) = (Vec::new(), Vec::new());
    for target in targets {
        match target {
            Target::Addr(addr) => addrs.push(addr),
            Target::Peer(peer) => peers.push(peer),
        }
    }
    match (peers[..].first(), addrs.is_empty()) {
        _ if peers.len() > 1 => Err(CliError::stack("dialling", DialError::DifferentPeers)),
        (Some(peer), true) => Ok((*peer).into()),
        (Some(peer), false) => Ok((*peer, addrs).into()),
        (None, _) => Ok(addrs.into()),
    }
}

/// A row for people, an object for programs, for each address.
fn tell_attempts(report: &DialReport, output: &Output) {
    report
        .attempts
        .iter()
        .for_each(|attempt| output.object(&object(attempt)));
    let rows: Vec<_> = report.attempts.iter().map(row).collect();
    let header = [
        "rank", "address", "planned", "started", "took", "ended at", "outcome",
    ];
    output.table(&header, &rows);
}

fn object(attempt: &Attempt) -> Value {
    let micros = |time: Option<Duration>| time.map(|time| time.as_micros());
    json!({
        "addr": attempt.addr.to_string(),
        "name": attempt.name.as_ref().map(ToString::to_string),
        "rank": attempt.rank,
        "planned_us": micros(attempt.planned),
        "started_us": micros(attempt.started),
        "took_us": micros(attempt.started.map(|_| attempt.took)),
        "connected": attempt.outcome.is_ok(),
        "failed_at": attempt.failed_at().map(|stage| stage.to_string()),
        "blame": attempt.error().map(|error| error.blame().to_string()),
        "error": attempt.error().map(ToString::to_string),
    })
}

fn row(attempt: &Attempt) -> Vec<String> {
    let when = |when: Option<Duration>| when.map_or_else(|| "-".to_owned(), time);
    let name = attempt.name.as_ref();
    vec![
        attempt
            .rank
            .map_or_else(|| "-".to_owned(), |rank| rank.to_string()),
        attempt.addr.to_string() + &name.map_or_else(String::new, |name| format!(" ({name})")),
        when(attempt.planned),
        when(attempt.started),
        when(attempt.started.map(|_| attempt.took)),
        attempt
            .failed_at()
            .map_or_else(|| "-".to_owned(), |stage| stage.to_string()),
        attempt
            .error()
            .map_or_else(|| "connected".to_owned(), ToString::to_string),
    ]
}

fn tell_outcome(report: &DialReport, output: &Output) -> Result<(), CliError> {
    let connection = match &report.outcome {
        Ok(connection) => connection,
        Err(error @ DialError::NoAddresses(_)) => {
            return Err(CliError::new(Kind::Remote, "connecting")
                .because(error.clone())
                .hint("name an address, or a file of `sinew node --peerstore` with --peerstore"));
        }
        Err(error) => {
            return Err(CliError::stack("connecting", error.clone())
                .hint("--explain shows each address; is the node running?"));
        }
    };
    let took = report
        .winner()
        .map(|winner| winner.started.unwrap_or_default() + winner.took);
    tell_connected(connection.info(), took, output);
    Ok(())
}

/// To whom there is a connection, and what it is made of.
pub(crate) fn tell_connected(info: &ConnectionInfo, took: Option<Duration>, output: &Output) {
    let (security, muxer) = (
        info.security.as_ref().map(ToString::to_string),
        info.muxer.as_ref().map(ToString::to_string),
    );
    let text = format!(
        "connected to {} at {} over {}{}",
        info.peer,
        info.remote,
        [Some(info.transport.to_owned()), security.clone(), muxer.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        took.map_or_else(String::new, |took| format!(" in {}", time(took))),
    );
    let object = json!({
        "event": "connected", "peer": info.peer.to_string(), "addr": info.remote.to_string(), "transport": info.transport,
        "security": security, "muxer": muxer, "took_us": took.map(|took| took.as_micros()),
    });
    output.say(&text, &object);
}
