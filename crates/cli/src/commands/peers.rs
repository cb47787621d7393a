//! `sinew peers`: what a node has written down of others.

use crate::{
    error::{CliError, Kind},
    local,
    output::{self, Output},
};
use serde_json::json;
use sinew::{DiskPeerstore, PeerInfo, Peerstore};
use std::path::Path;

pub(crate) fn run(file: &Path, output: &Output) -> Result<(), CliError> {
    if !file.exists() {
        let missing = CliError::new(Kind::Local, format!("there is no {}", file.display()));
        return Err(missing.hint("a node makes one with `sinew node --peerstore FILE`"));
    }
    let store = DiskPeerstore::open_existing(file).map_err(local::peerstore_error)?;
    let now = sinew::now();
    let mut known: Vec<_> = store
        .peers()
        .iter()
        .filter_map(|peer| store.info(peer, now))
        .collect();
    // Touched last comes first.
    known.reverse();
    let rows: Vec<_> = known.iter().map(|info| line(info, output)).collect();
    output.table(&["peer", "agent", "latency", "protocols", "addresses"], &rows);
    Ok(())
}

/// Says what is known of a peer to programs, and gives the cells of its row for people.
fn line(info: &PeerInfo, output: &Output) -> Vec<String> {
    let addrs: Vec<_> = info.addrs.iter().map(ToString::to_string).collect();
    let protocols: Vec<_> = info
        .protocols
        .iter()
        .flat_map(|list| list.iter())
        .map(ToString::to_string)
        .collect();
    let agent = info.agent.as_deref();
    output.object(&json!({
        "peer": info.peer.to_string(),
        "agent": agent,
        "latency_us": info.latency.map(|latency| latency.as_micros()),
        "protocols": protocols,
        "addrs": addrs,
        "signed_record": info.record.is_some(),
    }));
    let more = addrs.len().saturating_sub(1);
    let first = addrs.first().cloned().unwrap_or_default();
    let addrs = if more > 0 {
        format!("{first} and {more} more")
    } else {
        first
    };
    let latency = info.latency.map(output::time).unwrap_or_default();
    // A stranger chose it: nothing in it may reach the terminal as a command.
    let agent = agent.unwrap_or_default().escape_debug().to_string();
    vec![
        info.peer.to_string(),
        agent,
        latency,
        protocols.len().to_string(),
        addrs,
    ]
}
