//! The multiaddr vectors of go, js, py and rust: every entry runs, and departures from go are listed here.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use serde_json::Value;
use sinew_addr::{decode, parse};

/// What we make of an entry on which the libraries disagree, where it is not what go makes of it.
enum Ours {
    Refused,
    /// The bytes of a text, or the text of bytes.
    Taken(&'static str),
    /// The bytes are go's; the text that we print for them is not.
    Printed(&'static str),
}
use Ours::{Printed, Refused, Taken};

/// See `docs/decisions/addr.md` for the reasons.
const NOT_AS_GO: &[(&str, Ours)] = &[
    // Retired, and known to go alone.
    ("text//ip4/127.0.0.1/tcp/4001/plaintextv2", Refused),
    ("bytes//ip4/127.0.0.1/tcp/4001/plaintextv2", Refused),
    // Retired, but known to rust, js and py: carried, never dialled.
    ("text//p2p-webrtc-star", Taken("9302")),
    ("text//p2p-websocket-star", Taken("df03")),
    ("text//p2p-stardust", Taken("9502")),
    // go alone keeps the slash in front of a path in the bytes. No transport here has paths; the bytes are carried.
    ("text//unix/a/b/c/d/e", Refused),
    ("text//unix/a/p2p.sock", Refused),
    ("text//ip4/127.0.0.1/tcp/0/unix/a/b", Refused),
    ("bytes//unix/a/b/c/d/e", Taken("/unix//a/b/c/d/e")),
    ("bytes//unix/a/p2p.sock", Taken("/unix//a/p2p.sock")),
    (
        "bytes//ip4/127.0.0.1/tcp/0/unix/a/b",
        Taken("/ip4/127.0.0.1/tcp/0/unix//a/b"),
    ),
    ("text//unix/stdio", Taken("900305737464696f")),
    ("bytes//unix/stdio", Taken("/unix//stdio")),
    ("badbytes/unix-relative", Taken("/unix/a/b")),
    // IPv4 text is no IPv6 address.
    ("text//ip6/1.2.3.4", Refused),
    // Rust's number parser.
    ("text//tcp/+80", Taken("060050")),
    // Percent signs that encode nothing stand for themselves; a space is printed as %20.
    ("text//ip4/1.2.3.4/http-path/%zz", Taken("0401020304e10303257a7a")),
    (
        "text//ip4/127.0.0.1/tcp/80/http-path/a%20b",
        Printed("/ip4/127.0.0.1/tcp/80/http-path/a%20b"),
    ),
    (
        "bytes//ip4/127.0.0.1/tcp/80/http-path/a%20b",
        Taken("/ip4/127.0.0.1/tcp/80/http-path/a%20b"),
    ),
    // Names that would mislead a resolver or a log.
    ("badbytes/dns-invalid-utf8", Refused),
    ("badbytes/dns-with-nul", Refused),
];

fn entries() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/multiaddr.json")).unwrap()
}

fn ours(name: &str) -> Option<&'static Ours> {
    NOT_AS_GO
        .iter()
        .find(|(entry, _)| *entry == name)
        .map(|(_, ours)| ours)
}

/// `Some` of bytes and canonical text, or `None` for a refusal.
fn wanted_of_text(entry: &Value) -> Option<(String, Option<String>)> {
    let go = entry["hex"].as_str().map(str::to_owned);
    let canonical = entry["canonical_text"].as_str().map(str::to_owned);
    assert_eq!(go.is_some(), entry["verdicts"]["go"]["ok"].as_bool().unwrap());
    match ours(entry["name"].as_str().unwrap()) {
        None => go.map(|hex| (hex, canonical)),
        Some(Refused) => None,
        Some(Taken(hex)) => Some(((*hex).to_owned(), None)),
        Some(Printed(text)) => Some((go.unwrap(), Some((*text).to_owned()))),
    }
}

fn run_text(entry: &Value) {
    let text = entry["input"]["text"].as_str().unwrap();
    let result = parse(text);
    let Some((hex, canonical)) = wanted_of_text(entry) else {
        return assert!(result.is_err(), "{text}: taken as {result:?}");
    };
    let addr = result.unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(hex::encode(&addr), hex, "{text}");
    if let Some(canonical) = canonical {
        assert_eq!(addr.to_string(), canonical);
    }
}

fn run_bytes(entry: &Value) {
    let (name, hex) = (entry["name"].as_str().unwrap(), entry["hex"].as_str().unwrap());
    let go = entry["verdicts"]["go"]["ok"].as_bool().unwrap();
    let printed = entry["expect"]["text"]
        .as_str()
        .or(entry["decoded_by_all"].as_str());
    let wanted = match ours(name) {
        None => go.then(|| printed.unwrap()),
        Some(Refused) => None,
        Some(Taken(text) | Printed(text)) => Some(*text),
    };
    let result = decode(&hex::decode(hex).unwrap());
    let Some(text) = wanted else {
        return assert!(result.is_err(), "{name}: taken as {result:?}");
    };
    let addr = result.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(addr.to_string(), text);
    assert_eq!(hex::encode(&addr), hex, "{name}");
}

#[test]
fn every_vector() {
    let (mut texts, mut bytes) = (0, 0);
    for entry in entries() {
        match entry["kind"].as_str().unwrap() {
            "text" => {
                run_text(&entry);
                texts += 1;
            }
            "bytes" => {
                run_bytes(&entry);
                bytes += 1;
            }
            kind => panic!("kind {kind}"),
        }
    }
    assert_eq!((texts, bytes), (150, 127));
}

#[test]
fn what_all_agree_on_is_not_departed_from() {
    let entries = entries();
    for (name, _) in NOT_AS_GO {
        let entry = entries.iter().find(|entry| entry["name"] == *name).expect(name);
        assert_eq!(entry["agreement"], "split", "{name}");
    }
}
