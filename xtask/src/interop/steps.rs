//! How each test goes: what is asked of which side, and what must come of it.

mod echoes;
mod pubsub;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    node::StepError,
    pair::{Pair, SHORT, Side, expect_eq},
    stack::Stack,
};

pub(super) use echoes::{echo, limits, many_streams, sizes, slow_reader, streams};
pub(super) use pubsub::{TOPIC, idontwant, leave_topic, network, partial, publish, test_extension};

/// The protocol that every peer serves.
const ECHO: &str = "/sinew/test/echo/1.0.0";

/// An Ed25519 peer id whose key none of the programs has.
const STRANGER: &str = "12D3KooWJtVtwYX5f2VEQwfBTfFrfUhUCC171jqrnFE9HfKiBwYc";

/// Codes of a reset and of a close: an application's, and one that the libraries send themselves (rate limited).
const CODES: [u32; 2] = [7, 0x1003];

#[derive(Deserialize)]
struct Pinged {
    micros: Vec<f64>,
}

#[derive(Deserialize)]
struct Identified {
    peer: String,
    agent: String,
    protocols: Vec<String>,
    listen_addrs: Vec<String>,
    observed_addr: Option<String>,
    key_type: String,
    signed_record: bool,
}

#[derive(Deserialize)]
struct Ended {
    code: Option<u32>,
}

fn without_peer(addr: &str) -> &str {
    addr.rsplit_once("/p2p/").map_or(addr, |(addr, _)| addr)
}

/// A dial that names another peer is refused; then one succeeds that names the right one.
pub(super) fn wrong_peer(pair: &mut Pair<'_>) -> Result<(), StepError> {
    let wrong = format!("{}/p2p/{STRANGER}", without_peer(&pair.addr));
    match pair.dial(&wrong) {
        Err(StepError::Refused { .. }) => ping(pair),
        Err(error) => Err(error),
        Ok(peer) => Err(pair
            .dialer
            .node
            .differs("a dial of the wrong peer id", "an error", peer)),
    }
}

/// The dialler's process ends; the listener notices and lives on.
pub(super) fn leave(pair: &mut Pair<'_>) -> Result<(), StepError> {
    ping(pair)?;
    // A dial of the wrong peer may have left such an event, too.
    let before = pair.listener.node.count("disconnected")?;
    pair.stop_dialer()?;
    pair.listener.node.event_after("disconnected", before, SHORT)?;
    pair.listener.node.stop()
}

/// Asks something of one side about the other, then the other way round.
fn both_ways(
    pair: &mut Pair<'_>,
    step: impl Fn(&mut Side<'_>, &mut Side<'_>) -> Result<(), StepError>,
) -> Result<(), StepError> {
    pair.connect()?;
    step(&mut pair.dialer, &mut pair.listener)?;
    step(&mut pair.listener, &mut pair.dialer)
}

/// Pings in both directions.
pub(super) fn ping(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, pinged)
}

fn pinged(asker: &mut Side<'_>, other: &mut Side<'_>) -> Result<(), StepError> {
    let request = json!({ "peer": other.node.peer(), "count": 5 });
    let pinged: Pinged = asker.node.ask("ping", request, SHORT)?;
    expect_eq(&asker.node, "answered pings", &5, &pinged.micros.len())
}

/// Each side is told of an address that the other begins to listen on while they are connected.
pub(super) fn push(pair: &mut Pair<'_>) -> Result<(), StepError> {
    let stack = pair.stack.clone();
    both_ways(pair, |asker, other| pushed(asker, other, &stack))
}

fn pushed(asker: &mut Side<'_>, other: &mut Side<'_>, stack: &Stack) -> Result<(), StepError> {
    let request = json!({ "peer": other.node.peer() });
    let _: Identified = asker.node.ask("identify", request, SHORT)?;
    if other.about.dial_only.contains(&stack.transport) {
        return Ok(());
    }
    let addr = other.listen(stack)?;
    let request = json!({ "peer": other.node.peer(), "addr": without_peer(&addr) });
    // A push may leave out what has not changed.
    let _: Value = asker.node.ask("identify", request, SHORT)?;
    Ok(())
}

/// A reset in the middle of a stream, by each side.
pub(super) fn reset(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, reset_by)
}

/// The other side sees a reset and no end, and the connection is as good as before.
fn reset_by(asker: &mut Side<'_>, other: &mut Side<'_>) -> Result<(), StepError> {
    reset_with(asker, other, None)?;
    pinged(asker, other)
}

/// The codes of such resets.
pub(super) fn reset_code(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, reset_with_codes)
}

fn reset_with_codes(asker: &mut Side<'_>, other: &mut Side<'_>) -> Result<(), StepError> {
    CODES
        .into_iter()
        .try_for_each(|code| reset_with(asker, other, Some(code)))
}

/// Without a code the other side may see any: libraries that know codes send one of their own.
fn reset_with(asker: &mut Side<'_>, other: &mut Side<'_>, code: Option<u32>) -> Result<(), StepError> {
    let before = other.node.count("reset")?;
    let mut request = json!({ "peer": other.node.peer(), "bytes": 64 * 1024 });
    if let Some(code) = code {
        request["code"] = code.into();
    }
    let _: Value = asker.node.ask("reset", request, SHORT)?;
    let event = other.node.event_after("reset", before, SHORT)?;
    match code {
        Some(code) => expect_code(other, "the code of the reset", code, event),
        None => Ok(()),
    }
}

/// Each side closes the connection with a code; the other finds it on its stream.
pub(super) fn close_code(pair: &mut Pair<'_>) -> Result<(), StepError> {
    for code in CODES {
        pair.connect()?;
        closed_with(&mut pair.dialer, &mut pair.listener, code)?;
        pair.disconnected();
        pair.connect()?;
        closed_with(&mut pair.listener, &mut pair.dialer, code)?;
        pair.disconnected();
    }
    Ok(())
}

fn closed_with(asker: &mut Side<'_>, other: &mut Side<'_>, code: u32) -> Result<(), StepError> {
    let cuts = other.node.count("cut")?;
    let ends = other.node.count("disconnected")?;
    let request = json!({ "peer": other.node.peer(), "code": code });
    let _: Value = asker.node.ask("close", request, SHORT)?;
    let event = other.node.event_after("cut", cuts, SHORT)?;
    other.node.event_after("disconnected", ends, SHORT)?;
    expect_code(other, "the code of the connection's end", code, event)
}

fn expect_code(side: &Side<'_>, what: &'static str, code: u32, event: Value) -> Result<(), StepError> {
    let text = event.to_string();
    match serde_json::from_value(event) {
        Ok(Ended { code: Some(found) }) => expect_eq(&side.node, what, &code, &found),
        _ => Err(side.node.differs(what, code.to_string(), text)),
    }
}

/// What each side learns of the other, then pings: with keys of another type.
pub(super) fn identify_and_ping(pair: &mut Pair<'_>) -> Result<(), StepError> {
    identify(pair)?;
    ping(pair)
}

/// What each side learns of the other.
pub(super) fn identify(pair: &mut Pair<'_>) -> Result<(), StepError> {
    pair.connect()?;
    let of_listener = identified(&mut pair.dialer, &pair.listener, &pair.stack, pair.setup.key_type)?;
    let of_dialer = identified(&mut pair.listener, &pair.dialer, &pair.stack, pair.setup.key_type)?;
    let wanted = without_peer(&pair.addr);
    let listens = |addr: &String| pair.dialer.spelled(addr) == wanted;
    if !of_listener.listen_addrs.iter().any(listens) {
        let found = of_listener.listen_addrs.join(" ");
        return Err(pair.dialer.node.differs("listen addresses", wanted, found));
    }
    // Only a listener has addresses that a record could hold.
    let record = pair.listener.about.sends_record && pair.dialer.about.reads_record;
    expect_eq(
        &pair.dialer.node,
        "a signed peer record seen",
        &record,
        &of_listener.signed_record,
    )?;
    if of_dialer.signed_record && !pair.dialer.about.sends_record {
        let listener = &pair.listener.node;
        return Err(listener.differs("a signed peer record seen", "none", "one"));
    }
    Ok(())
}

/// What the asker learnt of the other side, checked for what holds on both sides.
fn identified(
    asker: &mut Side<'_>,
    other: &Side<'_>,
    stack: &Stack,
    key_type: &str,
) -> Result<Identified, StepError> {
    let request = json!({ "peer": other.node.peer() });
    let info: Identified = asker.node.ask("identify", request, SHORT)?;
    expect_eq(&asker.node, "the peer identified", other.node.peer(), &info.peer)?;
    expect_eq(&asker.node, "the type of its key", key_type, &info.key_type)?;
    let observed = info.observed_addr.as_deref().unwrap_or("none");
    let begins = [
        ("the agent", other.about.agent.as_str(), info.agent.as_str()),
        ("the address observed of it", stack.observed_prefix(), observed),
    ];
    for (what, expected, found) in begins {
        if !found.starts_with(expected) {
            return Err(asker.node.differs(what, expected, found));
        }
    }
    for protocol in [ECHO, "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0"] {
        if !info.protocols.iter().any(|known| known == protocol) {
            return Err(asker
                .node
                .differs("its protocols", protocol, info.protocols.join(" ")));
        }
    }
    Ok(info)
}
