//! How each test goes: what is asked of which side, and what must come of it.

use std::{
    path::Path,
    thread::{self, Scope},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cases::{Case, Test},
    node::{Node, StepError},
    peers::{Peer, Places},
};

/// For everything that takes some round trips.
const SHORT: Duration = Duration::from_secs(15);

/// For 16 MiB or 200 streams, also when the machine is busy.
const LONG: Duration = Duration::from_secs(60);

/// The protocol that every peer serves.
const ECHO: &str = "/sinew/test/echo/1.0.0";

/// An Ed25519 peer id whose key none of the programs has.
const STRANGER: &str = "12D3KooWJtVtwYX5f2VEQwfBTfFrfUhUCC171jqrnFE9HfKiBwYc";

/// Sizes of the echo test, each with the SHA-256 of the pattern of that size (interop/README.md).
const ECHOES: [(u64, &str); 3] = [
    (
        0,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    (
        1000,
        "30088ee7b9c1707b6a061c1ec25d9e822a3bb1f2105c3c3c577f3d56e75c4c2a",
    ),
    (
        16 << 20,
        "923c1f94dd2c174e325a97d4710b96e2c67490a8d617b4323d922af2c681db27",
    ),
];

/// Two sides with a connection between them.
struct Pair<'a> {
    case: &'a Case<'a>,
    dialer: Node,
    listener: Node,
    addr: String,
}

#[derive(Deserialize)]
struct Listening {
    addrs: Vec<String>,
}

#[derive(Deserialize)]
struct Dialled {
    peer: String,
}

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
    observed_addr: String,
    key_type: String,
    signed_record: bool,
}

#[derive(Deserialize)]
struct Echoed {
    bytes: u64,
    sha256: String,
}

#[derive(Deserialize)]
struct Streamed {
    streams: u64,
}

/// Runs one test in processes of its own; their logs go to `folder`.
pub(crate) fn run(case: &Case<'_>, places: &Places, folder: &Path) -> Result<(), StepError> {
    thread::scope(|scope| {
        let pair = start(scope, case, places, folder)?;
        match &case.test {
            Test::WrongPeer => pair.wrong_peer(),
            test => pair.connected(test),
        }
    })
}

fn start<'a, 'scope>(
    scope: &'scope Scope<'scope, '_>,
    case: &'a Case<'a>,
    places: &Places,
    folder: &Path,
) -> Result<Pair<'a>, StepError> {
    let node = |role, peer| Node::start(scope, role, Node::command(peer, places, case.key_type()), folder);
    let mut listener = node("listener", case.listener)?;
    let dialer = node("dialer", case.dialer)?;
    let addr = listen(&mut listener)?;
    Ok(Pair {
        case,
        dialer,
        listener,
        addr,
    })
}

/// Listens on a free port, and gives the address with the peer id.
fn listen(node: &mut Node) -> Result<String, StepError> {
    let listening: Listening = node.ask("listen", json!({ "addr": "/ip4/127.0.0.1/tcp/0" }), SHORT)?;
    let first = listening.addrs.into_iter().next();
    first.ok_or_else(|| node.differs("new listen addresses", "one", "none"))
}

fn without_peer(addr: &str) -> &str {
    addr.rsplit_once("/p2p/").map_or(addr, |(addr, _)| addr)
}

impl Pair<'_> {
    fn connected(mut self, test: &Test) -> Result<(), StepError> {
        let dialled: Dialled = self.dialer.ask("dial", json!({ "addr": self.addr }), SHORT)?;
        expect_eq(
            &self.dialer,
            "the peer that was dialled",
            self.listener.peer(),
            &dialled.peer,
        )?;
        let Self {
            case,
            dialer,
            listener,
            addr,
        } = &mut self;
        match test {
            Test::Identify => identify(case, dialer, listener, addr)?,
            Test::Key(_) => {
                identify(case, dialer, listener, addr)?;
                both_ways(dialer, listener, ping)?;
            }
            Test::Push => both_ways(dialer, listener, push)?,
            Test::Echo => both_ways(dialer, listener, echo)?,
            Test::Streams => both_ways(dialer, listener, streams)?,
            Test::Reset => both_ways(dialer, listener, reset)?,
            Test::Ping | Test::Leave | Test::WrongPeer => both_ways(dialer, listener, ping)?,
        }
        if *test == Test::Leave {
            self.leave()
        } else {
            self.stop()
        }
    }

    /// Refused where the address names another peer; the same address with the right name still works.
    fn wrong_peer(mut self) -> Result<(), StepError> {
        let wrong = format!("{}/p2p/{STRANGER}", without_peer(&self.addr));
        match self
            .dialer
            .ask::<Dialled>("dial", json!({ "addr": wrong }), SHORT)
        {
            Err(StepError::Refused { .. }) => self.connected(&Test::WrongPeer),
            Err(error) => Err(error),
            Ok(dialled) => Err(self
                .dialer
                .differs("a dial of the wrong peer id", "an error", dialled.peer)),
        }
    }

    /// The dialler's process ends; the listener notices and lives on.
    fn leave(mut self) -> Result<(), StepError> {
        self.dialer.stop()?;
        let _: Value = self
            .listener
            .ask("events", json!({ "kind": "disconnected", "count": 1 }), SHORT)?;
        self.listener.stop()
    }

    fn stop(self) -> Result<(), StepError> {
        self.dialer.stop()?;
        self.listener.stop()
    }
}

/// Asks something of one side about the other, then the other way round.
fn both_ways(
    dialer: &mut Node,
    listener: &mut Node,
    step: impl Fn(&mut Node, &mut Node) -> Result<(), StepError>,
) -> Result<(), StepError> {
    step(dialer, listener)?;
    step(listener, dialer)
}

fn ping(asker: &mut Node, other: &mut Node) -> Result<(), StepError> {
    let pinged: Pinged = asker.ask("ping", json!({ "peer": other.peer(), "count": 5 }), SHORT)?;
    expect_eq(asker, "answered pings", &5, &pinged.micros.len())
}

/// The asker is told of an address that the other side begins to listen on while they are connected.
fn push(asker: &mut Node, other: &mut Node) -> Result<(), StepError> {
    let _: Identified = asker.ask("identify", json!({ "peer": other.peer() }), SHORT)?;
    let addr = listen(other)?;
    let request = json!({ "peer": other.peer(), "addr": without_peer(&addr) });
    // A push may leave out what has not changed.
    let _: Value = asker.ask("identify", request, SHORT)?;
    Ok(())
}

fn echo(asker: &mut Node, other: &mut Node) -> Result<(), StepError> {
    for (bytes, sha256) in ECHOES {
        let echoed: Echoed = asker.ask("echo", json!({ "peer": other.peer(), "bytes": bytes }), LONG)?;
        expect_eq(asker, "bytes that came back", &bytes, &echoed.bytes)?;
        expect_eq(asker, "SHA-256 of what came back", sha256, &echoed.sha256)?;
    }
    Ok(())
}

fn streams(asker: &mut Node, other: &mut Node) -> Result<(), StepError> {
    let request = json!({ "peer": other.peer(), "count": 200, "at_once": 50, "bytes": 1000 });
    let streamed: Streamed = asker.ask("streams", request, LONG)?;
    expect_eq(asker, "streams", &200, &streamed.streams)
}

/// The other side sees a reset and no end, and the connection is as good as before.
fn reset(asker: &mut Node, other: &mut Node) -> Result<(), StepError> {
    let _: Value = asker.ask(
        "reset",
        json!({ "peer": other.peer(), "bytes": 64 * 1024 }),
        SHORT,
    )?;
    let _: Value = other.ask("events", json!({ "kind": "reset", "count": 1 }), SHORT)?;
    ping(asker, other)
}

fn identify(case: &Case<'_>, dialer: &mut Node, listener: &mut Node, addr: &str) -> Result<(), StepError> {
    let of_listener = identified(case, dialer, listener, case.listener)?;
    let of_dialer = identified(case, listener, dialer, case.dialer)?;
    let wanted = without_peer(addr);
    if !of_listener.listen_addrs.iter().any(|addr| addr == wanted) {
        return Err(dialer.differs("listen addresses", wanted, of_listener.listen_addrs.join(" ")));
    }
    // Only a listener has addresses that a record could hold.
    let record = case.listener.sends_record && case.dialer.reads_record;
    expect_eq(
        dialer,
        "a signed peer record seen",
        &record,
        &of_listener.signed_record,
    )?;
    if of_dialer.signed_record && !case.dialer.sends_record {
        return Err(listener.differs("a signed peer record seen", "none", "one"));
    }
    Ok(())
}

/// What the asker learnt of the other side, checked for what holds on both sides.
fn identified(
    case: &Case<'_>,
    asker: &mut Node,
    other: &Node,
    other_peer: &Peer,
) -> Result<Identified, StepError> {
    let info: Identified = asker.ask("identify", json!({ "peer": other.peer() }), SHORT)?;
    expect_eq(asker, "the peer identified", other.peer(), &info.peer)?;
    expect_eq(asker, "the type of its key", case.key_type(), &info.key_type)?;
    if !info.agent.starts_with(&other_peer.agent) {
        return Err(asker.differs("the agent", other_peer.agent.as_str(), info.agent));
    }
    if !info.observed_addr.starts_with("/ip4/127.0.0.1/tcp/") {
        return Err(asker.differs(
            "the address observed of it",
            "/ip4/127.0.0.1/tcp/",
            info.observed_addr,
        ));
    }
    for protocol in [ECHO, "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0"] {
        if !info.protocols.iter().any(|known| known == protocol) {
            return Err(asker.differs("its protocols", protocol, info.protocols.join(" ")));
        }
    }
    Ok(info)
}

fn expect_eq<T: PartialEq + ToString + ?Sized>(
    node: &Node,
    what: &'static str,
    expected: &T,
    found: &T,
) -> Result<(), StepError> {
    if expected == found {
        Ok(())
    } else {
        Err(node.differs(what, expected.to_string(), found.to_string()))
    }
}
