//! What go-libp2p and js-libp2p put on the wire, read and answered by our machines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde::Deserialize;
use sinew_machine::ProtocolId;
use sinew_multistream::machine::{Choice, Dialer, ListQuery, Listener, Negotiation, Violation};

#[derive(Deserialize)]
struct Entry {
    name: String,
    initiator_bytes: String,
    responder_bytes: String,
}

/// How a negotiation ends in one of our machines.
#[derive(Clone, PartialEq, Debug)]
enum End {
    Agreed(ProtocolId),
    Listed(Vec<ProtocolId>),
    NoList,
    Refused,
    Waiting,
    Broken(Violation),
}

/// What our listener answers, next to what the library answered.
#[derive(Clone, Copy)]
enum Answer {
    /// The same bytes, then these of the protocol itself.
    Same(&'static str),
    /// Other bytes: a decision of ours, written down in docs/decisions/multistream.md.
    Other(&'static str),
}

/// What our dialler is that meets the library's answers.
enum Dial {
    Propose(&'static [&'static str]),
    List,
}

struct Row {
    name: &'static str,
    offer: &'static [&'static str],
    listener: (End, Answer),
    dial: Dial,
    dialer: End,
}

const PING: &str = "/ipfs/ping/1.0.0";
const ECHO: &str = "/echo/1";
const LONG: &str = concat!(
    "/long/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxx"
);
const BOTH: &[&str] = &[ECHO, PING];
const LISTED: &str = "\x13/multistream/1.0.0\n\x1c\x08/echo/1\n\x11/ipfs/ping/1.0.0\n\n";
const LISTED_THEN_ECHO: &str =
    "\x13/multistream/1.0.0\n\x1c\x08/echo/1\n\x11/ipfs/ping/1.0.0\n\n\x08/echo/1\n";

fn row(
    name: &'static str,
    offer: &'static [&'static str],
    listener: (End, Answer),
    dial: Dial,
    dialer: End,
) -> Row {
    Row {
        name,
        offer,
        listener,
        dial,
        dialer,
    }
}

fn agreed(name: &'static str) -> End {
    End::Agreed(ProtocolId::from_static(name))
}

/// One row an entry: the decisions where the libraries split are the `Other` answers and the header violations.
#[rustfmt::skip]
fn rows() -> Vec<Row> {
    use Answer::{Other, Same};
    use Dial::{List, Propose};
    use End::{Broken, Listed, NoList, Refused, Waiting};
    let same = Same("");
    let header = || Broken(Violation::Header);
    let too_long = || Broken(Violation::TooLong);
    vec![
        row("go/accepted", &[PING], (agreed(PING), same), Propose(&[PING]), agreed(PING)),
        row("go/na-then-accepted", &["/b/1"], (agreed("/b/1"), same), Propose(&["/a/1", "/b/1"]), agreed("/b/1")),
        row("go/na-na-accepted", &["/plaintext/2.0.0"], (agreed("/plaintext/2.0.0"), same), Propose(&["/noise", "/tls/1.0.0", "/plaintext/2.0.0"]), agreed("/plaintext/2.0.0")),
        row("go/none-accepted", &["/c/1"], (Waiting, same), Propose(&["/a/1", "/b/1"]), Refused),
        row("go/long-name-two-byte-length", &[LONG], (agreed(LONG), same), Propose(&[LONG]), agreed(LONG)),
        row("go/lazy-initiator-with-data", &[ECHO], (agreed(ECHO), Same("PONG")), Propose(&[ECHO]), agreed(ECHO)),
        row("go/lazy-both-ends", &[ECHO], (agreed(ECHO), Same("ATAD")), Propose(&[ECHO]), agreed(ECHO)),
        row("go/lazy-refused", &[ECHO], (Waiting, same), Propose(&["/nope/1"]), Refused),
        row("go/lazy-close-without-data", &[ECHO], (agreed(ECHO), same), Propose(&[ECHO]), agreed(ECHO)),
        row("go/raw/ls", BOTH, (Waiting, Other(LISTED)), List, NoList),
        row("go/raw/ls-then-protocol", BOTH, (agreed(ECHO), Other(LISTED_THEN_ECHO)), Propose(&["/x", ECHO]), agreed(ECHO)),
        row("go/raw/wrong-header", BOTH, (header(), Other("")), Propose(&[ECHO]), Waiting),
        row("go/raw/no-newline", BOTH, (Broken(Violation::Newline), same), Propose(&[ECHO]), Waiting),
        row("go/raw/empty-message", BOTH, (Broken(Violation::Length), same), Propose(&[ECHO]), Waiting),
        row("go/raw/only-newline", BOTH, (Waiting, same), Propose(&["/x"]), Refused),
        row("go/raw/too-long", BOTH, (too_long(), same), Propose(&[ECHO]), Waiting),
        row("go/raw/non-minimal-length", BOTH, (header(), Other("")), Propose(&[ECHO]), Waiting),
        row("go/raw/protocol-without-header", BOTH, (header(), Other("")), Propose(&[ECHO]), Waiting),
        row("go/raw/na-from-initiator", BOTH, (agreed(ECHO), same), Propose(&["/x", ECHO]), agreed(ECHO)),
        row("go/raw/prefix-of-protocol", BOTH, (Waiting, same), Propose(&["/echo/1.0"]), Refused),
        row("js/accepted", &[PING], (agreed(PING), same), Propose(&[PING]), agreed(PING)),
        row("js/na-then-accepted", &["/b/1"], (agreed("/b/1"), same), Propose(&["/a/1", "/b/1"]), agreed("/b/1")),
        row("js/none-accepted", &["/c/1"], (Waiting, same), Propose(&["/a/1", "/b/1"]), Refused),
        row("js/raw/ls", BOTH, (Waiting, same), List, Listed(ids(BOTH))),
        row("js/raw/ls-then-protocol", BOTH, (agreed(ECHO), same), List, Listed(ids(BOTH))),
        row("js/raw/wrong-header", BOTH, (header(), Other("")), Propose(&[ECHO]), header()),
        row("js/raw/no-newline", BOTH, (Broken(Violation::Newline), same), Propose(&[ECHO]), Waiting),
        row("js/raw/empty-message", BOTH, (Broken(Violation::Length), same), Propose(&[ECHO]), Waiting),
        row("js/raw/too-long", BOTH, (too_long(), same), Propose(&[ECHO]), Waiting),
        row("js/raw/protocol-without-header", BOTH, (header(), Other("")), Propose(&[ECHO]), header()),
        row("js/raw/one-write-header-protocol-data", &[ECHO], (agreed(ECHO), same), Propose(&[ECHO]), agreed(ECHO)),
    ]
}

fn ids(names: &[&str]) -> Vec<ProtocolId> {
    names.iter().map(|&name| name.into()).collect()
}

/// Everything the machine says (in escaped form) when it hears `input` in pieces of `step`, and how it ends.
fn run<N: Negotiation>(
    mut machine: N,
    input: &[u8],
    step: usize,
) -> (String, Result<Option<N::Outcome>, Violation>) {
    let mut said = machine.transmit().to_vec();
    let mut rest = input;
    let end = loop {
        let piece = &rest[..rest.len().min(step)];
        match machine.receive(piece) {
            Err(violation) => break Err(violation),
            Ok((_, Some(outcome))) => break Ok(Some(outcome)),
            Ok((taken, None)) => {
                assert_eq!(taken, piece.len(), "an open negotiation takes all it is given");
                rest = &rest[taken..];
            }
        }
        said.extend_from_slice(&machine.transmit());
        if rest.is_empty() {
            break Ok(None);
        }
    };
    said.extend_from_slice(&machine.transmit());
    (said.escape_ascii().to_string(), end)
}

fn check_listener(entry: &Entry, row: &Row, step: usize) {
    let input = hex::decode(&entry.initiator_bytes).unwrap();
    let theirs = hex::decode(&entry.responder_bytes)
        .unwrap()
        .escape_ascii()
        .to_string();
    let offer = ids(row.offer);
    let (said, end) = run(Listener::new(&offer[..]), &input, step);
    let end = match end {
        Ok(Some(protocol)) => End::Agreed(protocol),
        Ok(None) => End::Waiting,
        Err(violation) => End::Broken(violation),
    };
    let (expected, answer) = &row.listener;
    assert_eq!(end, *expected, "{}", entry.name);
    match answer {
        Answer::Same(protocol) => assert_eq!(format!("{said}{protocol}"), theirs, "{}", entry.name),
        Answer::Other(ours) => assert_eq!(said, ours.as_bytes().escape_ascii().to_string(), "{}", entry.name),
    }
}

fn check_dialer(entry: &Entry, row: &Row, step: usize) {
    let input = hex::decode(&entry.responder_bytes).unwrap();
    let theirs = hex::decode(&entry.initiator_bytes)
        .unwrap()
        .escape_ascii()
        .to_string();
    let (said, end) = match row.dial {
        Dial::Propose(names) => propose(names, &input, step),
        Dial::List => list(&input, step),
    };
    assert_eq!(end, row.dialer, "{}", entry.name);
    // Hand-made diallers do not speak like ours.
    if !entry.name.contains("/raw/") {
        assert!(
            theirs.starts_with(&said),
            "{}: {said:?} is not how {theirs:?} begins",
            entry.name
        );
    }
}

fn propose(names: &[&str], input: &[u8], step: usize) -> (String, End) {
    let (said, end) = run(Dialer::new(ids(names)).unwrap(), input, step);
    let end = match end {
        Ok(Some(Choice::Accepted(protocol))) => End::Agreed(protocol),
        Ok(Some(Choice::Refused)) => End::Refused,
        Ok(None) => End::Waiting,
        Err(violation) => End::Broken(violation),
    };
    (said, end)
}

fn list(input: &[u8], step: usize) -> (String, End) {
    let (said, end) = run(ListQuery::new(), input, step);
    let end = match end {
        Ok(Some(Some(names))) => End::Listed(names),
        Ok(Some(None)) => End::NoList,
        Ok(None) => End::Waiting,
        Err(violation) => End::Broken(violation),
    };
    (said, end)
}

#[test]
fn every_transcript_is_understood_in_pieces_of_any_size() {
    let entries: Vec<Entry> = serde_json::from_str(include_str!("vectors/multistream.json")).unwrap();
    let rows = rows();
    let mut consumed = 0;
    for (entry, row) in entries.iter().zip(&rows) {
        assert_eq!(entry.name, row.name);
        for step in [1, 2, 3, 20, 1000] {
            check_listener(entry, row, step);
            check_dialer(entry, row, step);
        }
        consumed += 1;
    }
    assert_eq!((consumed, entries.len(), rows.len()), (31, 31, 31));
}
