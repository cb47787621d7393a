//! The tests of echo streams: sizes, slow readers, many at once, limits.

use std::{thread, time::Duration};

use serde::Deserialize;
use serde_json::json;

use super::{
    super::{
        node::StepError,
        pair::{Pair, Side, expect_eq},
    },
    both_ways, pinged,
};

/// For 64 MiB or 1,000 streams, also when the machine is busy.
const LONG: Duration = Duration::from_secs(60);

/// How many bytes are echoed, with the SHA-256 of the pattern of that size (interop/README.md).
type Echo = (u64, &'static str);

const KILOBYTE: Echo = (
    1000,
    "30088ee7b9c1707b6a061c1ec25d9e822a3bb1f2105c3c3c577f3d56e75c4c2a",
);

/// More than the windows of a new stream hold.
const UNREAD: Echo = (
    4 << 20,
    "95e4e2cd53f2d00669707f83ae4f9de05439db3d80a7d0d9e727eaeb98500b47",
);

/// Those of the echo test.
const ECHOES: [Echo; 3] = [
    (
        0,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    KILOBYTE,
    (
        16 << 20,
        "923c1f94dd2c174e325a97d4710b96e2c67490a8d617b4323d922af2c681db27",
    ),
];

/// Around what frames, messages and windows hold.
const SIZES: [Echo; 5] = [
    (
        1,
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        255,
        "3f8591112c6bbe5c963965954e293108b7208ed2af893e500d859368c654eabe",
    ),
    (
        (64 << 10) + 1,
        "25b250e672eb147440207a7164553788b7c0b473679ec0cc3a30293edf2df8e6",
    ),
    (
        1 << 20,
        "f2272c1fc3885b124bae4ce7e47271ed28f30fa346944804bce1a4242471aeb3",
    ),
    (
        64 << 20,
        "660c91882ee0fb9ceb82b976ddd02bf8f208f5e6b55c27b0fa2649059ed1a646",
    ),
];

/// How long the slow reader does not read, and after how much of that the other stream is opened: by then no more goes in.
const PAUSE: Duration = Duration::from_secs(2);
const FILLED: Duration = Duration::from_millis(500);

/// More streams than Sinew, go and js serve one peer at a time by default.
const CROWD: u64 = 400;

#[derive(Deserialize)]
struct Echoed {
    bytes: u64,
    sha256: String,
}

#[derive(Deserialize)]
struct Streamed {
    streams: u64,
}

#[derive(Debug, Deserialize)]
struct Crowd {
    served: u64,
    refused: u64,
}

/// Nothing, 1 kB and 16 MiB there and back, opened by each side.
pub(crate) fn echo(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, |asker, other| echoed(asker, other, &ECHOES))
}

/// From a byte to 64 MiB, likewise.
pub(crate) fn sizes(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, |asker, other| echoed(asker, other, &SIZES))
}

fn echoed(asker: &mut Side<'_>, other: &mut Side<'_>, echoes: &[Echo]) -> Result<(), StepError> {
    echoes.iter().try_for_each(|echo| {
        let request = json!({ "peer": other.node.peer(), "bytes": echo.0 });
        let id = asker.node.send("echo", request)?;
        came_back(asker, *echo, id)
    })
}

fn came_back(asker: &mut Side<'_>, (bytes, sha256): Echo, id: u64) -> Result<(), StepError> {
    let echoed: Echoed = asker.node.answer("echo", id, LONG)?;
    expect_eq(&asker.node, "bytes that came back", &bytes, &echoed.bytes)?;
    expect_eq(&asker.node, "SHA-256 of what came back", sha256, &echoed.sha256)
}

/// A stream that one side does not read for a while holds up no other, and nothing of it is lost.
pub(crate) fn slow_reader(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, read_slowly)
}

/// The answer about the stream that was opened later has to come first.
fn read_slowly(asker: &mut Side<'_>, other: &mut Side<'_>) -> Result<(), StepError> {
    let peer = other.node.peer();
    let slow = json!({ "peer": peer, "bytes": UNREAD.0, "pause": PAUSE.as_millis() });
    let slow = asker.node.send("echo", slow)?;
    thread::sleep(FILLED);
    echoed(asker, other, &[KILOBYTE])?;
    came_back(asker, UNREAD, slow)
}

/// 200 streams from each side, at most 50 of them at once.
pub(crate) fn streams(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, |asker, other| streamed(asker, other, 200, 50))
}

/// 1,000 streams from each side, at most 200 of them at once.
pub(crate) fn many_streams(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, |asker, other| streamed(asker, other, 1000, 200))
}

fn streamed(asker: &mut Side<'_>, other: &mut Side<'_>, count: u64, at_once: u64) -> Result<(), StepError> {
    let request = json!({ "peer": other.node.peer(), "count": count, "at_once": at_once, "bytes": 1000 });
    let streamed: Streamed = asker.node.ask("streams", request, LONG)?;
    expect_eq(&asker.node, "streams", &count, &streamed.streams)
}

/// More streams at once than some libraries serve.
pub(crate) fn limits(pair: &mut Pair<'_>) -> Result<(), StepError> {
    both_ways(pair, crowded)
}

/// Those above the limit fail alone, and the connection goes on.
fn crowded(asker: &mut Side<'_>, other: &mut Side<'_>) -> Result<(), StepError> {
    let ends = asker.node.count("disconnected")?;
    let request = json!({ "peer": other.node.peer(), "count": CROWD });
    let crowd: Crowd = asker.node.ask("crowd", request, LONG)?;
    let refuses = other.about.refuses_streams;
    if crowd.served == 0 || (crowd.refused > 0) != refuses {
        let expected = if refuses { "some refused" } else { "all served" };
        let found = format!("{crowd:?}");
        return Err(asker.node.differs("the streams of a crowd", expected, found));
    }
    pinged(asker, other)?;
    echoed(asker, other, &[KILOBYTE])?;
    let ended = asker.node.count("disconnected")?;
    expect_eq(&asker.node, "connections that ended", &ends, &ended)
}
