//! The tests of publish and subscribe.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sinew_crypto::sha256;

use super::{
    super::{
        cases::NETWORK,
        node::StepError,
        pair::{Pair, Side, expect_eq},
        rows::{Protocol, Pubsub},
    },
    both_ways,
};

/// What all follow.
pub(crate) const TOPIC: &str = "sinew-interop";

/// From a little to what just fits into an RPC of 1 MiB, the limit of most libraries.
const SIZES: [u64; 4] = [20, 1000, (64 << 10) + 1, (1 << 20) - (1 << 10)];

/// What it is worth to keep away from who has it.
const LARGE: u64 = 100_000;

/// With how many of those that follow it each node of a network is connected, as the dialler; with as many as the listener.
const DIALS: usize = 3;

/// For what takes some heartbeats of a second at most.
const SOON: Duration = Duration::from_secs(10);

/// For the messages of a network to be at all nodes.
const SPREAD: Duration = Duration::from_secs(30);

/// The first four of the eight parts of a message, and every second of them.
const PARTS: [u8; 2] = [0b0000_1111, 0b0101_0101];

#[derive(Deserialize)]
struct Published {
    sha256: String,
}

#[derive(Deserialize)]
struct Spoken {
    protocol: String,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Message>,
}

/// What a side tells of a message; whether it was signed only where its library does.
#[derive(Deserialize)]
struct Message {
    author: Option<String>,
    signed: Option<bool>,
    bytes: u64,
    sha256: String,
}

/// What a side has of a message that comes in parts.
#[derive(Deserialize)]
struct Parts {
    group: u64,
    parts: u8,
    sha256: String,
}

/// Messages of all sizes from each side, which arrive as they were published, with their author or without.
pub(crate) fn publish(pair: &mut Pair<'_>) -> Result<(), StepError> {
    let pubsub = meet(pair)?;
    both_ways(pair, |asker, other| {
        SIZES
            .into_iter()
            .try_for_each(|bytes| published(asker, other, bytes, pubsub))
    })
}

/// Each side leaves the topic, which the other notices, and comes back, and hears it again.
pub(crate) fn leave_topic(pair: &mut Pair<'_>) -> Result<(), StepError> {
    let pubsub = meet(pair)?;
    both_ways(pair, |asker, other| {
        let _: Value = asker.node.ask("unsubscribe", json!({ "topic": TOPIC }), SOON)?;
        followed_by(other, 0)?;
        subscribe(asker)?;
        followed_by(other, 1)?;
        published(other, asker, SIZES[1], pubsub)
    })
}

/// Each side tells that it can the test extension, and then sends its message.
pub(crate) fn test_extension(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, |asker, _| {
        let request = json!({ "word": "test_extension", "count": 1 });
        let _: Value = asker.node.ask("heard", request, SOON)?;
        Ok(())
    })
}

/// Messages in parts: one of each side comes to the other in two pieces, and of another each has what the other lacks.
pub(crate) fn partial(pair: &mut Pair<'_>) -> Result<(), StepError> {
    meet(pair)?;
    both_ways(pair, |asker, other| {
        // Two that the other direction has not: each of its messages gave this side more than one event.
        let group = asker.node.count("parts")? as u64;
        let [first, mixed] = PARTS;
        for (piece, there) in [(first, first), (!first, u8::MAX)] {
            publish_parts(asker, group, piece)?;
            has_parts(other, group, there)?;
        }
        let group = group + 1;
        publish_parts(asker, group, mixed)?;
        publish_parts(other, group, !mixed)?;
        has_parts(asker, group, u8::MAX)?;
        has_parts(other, group, u8::MAX)
    })
}

/// The dialler publishes something large; the listener tells the other one, who knows nobody else, that it has it.
pub(crate) fn idontwant(pair: &mut Pair<'_>) -> Result<(), StepError> {
    subscribe_all(pair)?;
    pair.connect()?;
    let request = json!({ "addr": pair.addr });
    let _: Value = pair.others[0].node.ask("dial", request, SOON)?;
    gather(pair, [1, 2, 1])?;
    // All of them, so that the listener tells who it is to tell.
    in_mesh(&mut pair.listener, 2)?;
    publish_one(&mut pair.dialer, LARGE, 0)?;
    let told = &mut pair.others[0].node;
    let request = json!({ "word": "idontwant", "count": 1 });
    let _: Value = told.ask("heard", request, SOON)?;
    told.event_after("message", 0, SOON)?;
    Ok(())
}

/// In a network of twenty, each of which knows six of the others, a message of each is heard by all others, once.
pub(crate) fn network(pair: &mut Pair<'_>) -> Result<(), StepError> {
    subscribe_all(pair)?;
    connect_all(pair)?;
    gather(pair, [2 * DIALS; NETWORK])?;
    let mut sides = pair.sides();
    let mut published = Vec::new();
    for (number, side) in sides.iter_mut().enumerate() {
        // No kind of node publishes one size alone: there are five kinds and three sizes.
        published.push(publish_one(side, SIZES[number % 3], number)?);
    }
    for (number, side) in sides.iter_mut().enumerate() {
        let others = published
            .iter()
            .enumerate()
            .filter(|(author, _)| *author != number);
        let mut wanted: Vec<_> = others.map(|(_, sha256)| sha256.clone()).collect();
        let request = json!({ "kind": "message", "count": wanted.len() });
        let events: Events = side.node.ask("events", request, SPREAD)?;
        let mut found: Vec<_> = events.events.into_iter().map(|event| event.sha256).collect();
        wanted.sort();
        found.sort();
        expect_eq(&side.node, "the messages", &wanted.join(" "), &found.join(" "))?;
    }
    Ok(())
}

/// Connects the two, has both follow the topic, and waits until they know of each other. One follows it before they connect, the
/// other once their streams are open.
fn meet(pair: &mut Pair<'_>) -> Result<Pubsub, StepError> {
    let pubsub = pair.setup.pubsub.expect("a test of publish and subscribe");
    subscribe(&mut pair.dialer)?;
    both_ways(pair, |asker, other| spoken(asker, other).map(drop))?;
    subscribe(&mut pair.listener)?;
    let both = [pubsub.dialer, pubsub.listener];
    let has_mesh = both.iter().all(|protocol| *protocol == Protocol::Gossipsub);
    both_ways(pair, |asker, other| {
        followed_by(asker, 1)?;
        let expected = match has_mesh {
            true => asker.about.gossipsub.as_str().min(&other.about.gossipsub),
            false => "/floodsub/1.0.0",
        };
        let found = spoken(asker, other)?;
        expect_eq(&asker.node, "the protocol spoken", expected, &found)?;
        match has_mesh {
            true => in_mesh(asker, 1),
            false => Ok(()),
        }
    })?;
    Ok(pubsub)
}

/// The protocol of the stream to the other side, once it is open.
fn spoken(asker: &mut Side<'_>, other: &Side<'_>) -> Result<String, StepError> {
    let request = json!({ "peer": other.node.peer() });
    let spoken: Spoken = asker.node.ask("protocol", request, SOON)?;
    Ok(spoken.protocol)
}

/// Each dials the next ones, the last ones the first.
fn connect_all(pair: &mut Pair<'_>) -> Result<(), StepError> {
    let stack = pair.stack.clone();
    let mut sides = pair.sides();
    let addrs: Vec<_> = sides
        .iter_mut()
        .map(|side| side.listen(&stack))
        .collect::<Result<_, _>>()?;
    for step in 1..=DIALS {
        let mut asked = Vec::new();
        for (number, side) in sides.iter_mut().enumerate() {
            let addr = side.spelled(&addrs[(number + step) % addrs.len()]);
            asked.push(side.node.send("dial", json!({ "addr": addr }))?);
        }
        for (side, id) in sides.iter_mut().zip(asked) {
            let _: Value = side.node.answer("dial", id, SOON)?;
        }
    }
    Ok(())
}

fn subscribe_all(pair: &mut Pair<'_>) -> Result<(), StepError> {
    pair.sides().into_iter().try_for_each(subscribe)
}

/// Waits until each knows of so many others that follow the topic.
fn gather<const N: usize>(pair: &mut Pair<'_>, peers: [usize; N]) -> Result<(), StepError> {
    pair.sides().into_iter().zip(peers).try_for_each(|(side, peers)| {
        followed_by(side, peers)?;
        in_mesh(side, 1)
    })
}

fn subscribe(side: &mut Side<'_>) -> Result<(), StepError> {
    let _: Value = side.node.ask("subscribe", json!({ "topic": TOPIC }), SOON)?;
    Ok(())
}

fn followed_by(side: &mut Side<'_>, peers: usize) -> Result<(), StepError> {
    let request = json!({ "topic": TOPIC, "count": peers });
    let _: Value = side.node.ask("peers", request, SOON)?;
    Ok(())
}

fn in_mesh(side: &mut Side<'_>, peers: usize) -> Result<(), StepError> {
    let request = json!({ "topic": TOPIC, "count": peers });
    let _: Value = side.node.ask("mesh", request, SOON)?;
    Ok(())
}

fn publish_one(side: &mut Side<'_>, bytes: u64, seed: usize) -> Result<String, StepError> {
    let request = json!({ "topic": TOPIC, "bytes": bytes, "seed": seed });
    let published: Published = side.node.ask("publish", request, SOON)?;
    Ok(published.sha256)
}

/// Gives a side parts of a message, which it tells others of.
fn publish_parts(side: &mut Side<'_>, group: u64, parts: u8) -> Result<(), StepError> {
    let request = json!({ "topic": TOPIC, "group": group, "parts": parts });
    let _: Value = side.node.ask("publish_parts", request, SOON)?;
    Ok(())
}

/// Waits until a side has these parts of a message, as they are to be.
fn has_parts(side: &mut Side<'_>, group: u64, parts: u8) -> Result<(), StepError> {
    let mut before = 0;
    loop {
        let event = side.node.event_after("parts", before, SOON)?;
        let text = event.to_string();
        let Ok(found) = serde_json::from_value::<Parts>(event) else {
            return Err(side.node.differs("parts", "their fields", text));
        };
        if (found.group, found.parts) == (group, parts) {
            let expected = hash_of_parts(group, parts);
            return expect_eq(&side.node, "SHA-256 of the parts", &expected, &found.sha256);
        }
        before += 1;
    }
}

/// Each part is 128 numbers, which count from the group's on.
fn hash_of_parts(group: u64, parts: u8) -> String {
    let numbers = (0..8 * 128).filter(|number| parts & (1 << (number / 128)) != 0);
    let bytes: Vec<_> = numbers
        .flat_map(|number| u64::to_be_bytes(group + number))
        .collect();
    sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message from one side to the other.
fn published(
    asker: &mut Side<'_>,
    other: &mut Side<'_>,
    bytes: u64,
    pubsub: Pubsub,
) -> Result<(), StepError> {
    let before = other.node.count("message")?;
    // No two messages say the same: without an author they are known again by that.
    let seed = before + asker.node.count("message")?;
    let sha256 = publish_one(asker, bytes, seed)?;
    let event = other.node.event_after("message", before, SOON)?;
    let text = event.to_string();
    let Ok(message) = serde_json::from_value::<Message>(event) else {
        return Err(other.node.differs("a message", "its fields", text));
    };
    expect_eq(&other.node, "bytes of the message", &bytes, &message.bytes)?;
    expect_eq(&other.node, "SHA-256 of the message", &sha256, &message.sha256)?;
    let author = if pubsub.anonymous {
        "none"
    } else {
        asker.node.peer()
    };
    let found = message.author.as_deref().unwrap_or("none");
    expect_eq(&other.node, "the author of the message", author, found)?;
    let signed = message.signed.unwrap_or(!pubsub.anonymous);
    expect_eq(&other.node, "a signature", &!pubsub.anonymous, &signed)
}
