//! The control protocol: requests on stdin, answers on stdout, one JSON object a line.

use std::io::Write;

use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Value, json};

/// One line of stdin.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// Chosen by the asker, repeated in the answer.
    pub id: u64,
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
}

/// The commands; interop/README.md says what each does and answers.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    Listen {
        #[serde(deserialize_with = "parsed")]
        addr: Multiaddr,
    },
    Dial {
        #[serde(deserialize_with = "parsed")]
        addr: Multiaddr,
    },
    Ping {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        count: usize,
    },
    Identify {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        addr: Option<Multiaddr>,
    },
    Echo {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        bytes: u64,
        #[serde(default)]
        pause: u64,
    },
    Streams {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        count: u64,
        at_once: usize,
        bytes: u64,
    },
    Crowd {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        count: usize,
    },
    Reset {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        bytes: u64,
    },
    Subscribe {
        topic: String,
    },
    Unsubscribe {
        topic: String,
    },
    Publish {
        topic: String,
        bytes: usize,
        seed: u8,
    },
    PublishParts {
        topic: String,
        group: u64,
        parts: u8,
    },
    Peers {
        topic: String,
        count: usize,
    },
    Mesh {
        topic: String,
        count: usize,
    },
    Protocol {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
    },
    Heard {
        word: String,
        count: u64,
    },
    Events {
        kind: String,
        count: usize,
    },
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}

/// The first line of every peer: who it is.
pub fn ready(peer: PeerId) {
    print(&json!({ "ready": { "peer": peer.to_string(), "library": "rust-libp2p", "version": "0.57.1" } }));
}

/// Answers a request.
pub fn answer(id: u64, outcome: Result<Value, String>) {
    print(&match outcome {
        Ok(value) => json!({ "id": id, "ok": value }),
        Err(error) => json!({ "id": id, "error": error }),
    });
}

fn print(line: &Value) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more when this fails; stdin ends then, too.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
