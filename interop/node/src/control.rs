//! The control protocol: requests on stdin, answers on stdout, one JSON object a line (interop/README.md).

use std::{
    error::Error,
    io::{self, Write},
    str::FromStr,
};

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use sinew::{Multiaddr, PeerId, floodsub::Topic};

use crate::pubsub::Word;

/// One line of stdin.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    /// Chosen by the asker, repeated in the answer.
    pub(crate) id: u64,
    /// What to do.
    #[serde(flatten)]
    pub(crate) action: Action,
}

/// The commands.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Action {
    Listen {
        addr: Multiaddr,
    },
    Dial {
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
        bytes: usize,
        #[serde(default)]
        code: u32,
    },
    Close {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
        code: u32,
    },
    Subscribe {
        #[serde(deserialize_with = "parsed")]
        topic: Topic,
    },
    Unsubscribe {
        #[serde(deserialize_with = "parsed")]
        topic: Topic,
    },
    Publish {
        #[serde(deserialize_with = "parsed")]
        topic: Topic,
        bytes: usize,
        seed: u8,
    },
    PublishParts {
        #[serde(deserialize_with = "parsed")]
        topic: Topic,
        group: u64,
        parts: u8,
    },
    Peers {
        #[serde(deserialize_with = "parsed")]
        topic: Topic,
        count: usize,
    },
    Mesh {
        #[serde(deserialize_with = "parsed")]
        topic: Topic,
        count: usize,
    },
    Protocol {
        #[serde(deserialize_with = "parsed")]
        peer: PeerId,
    },
    Heard {
        word: Word,
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
    T: FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?
        .parse()
        .map_err(serde::de::Error::custom)
}

/// What a command came to.
pub(crate) type Outcome = Result<Value, Box<dyn Error + Send + Sync>>;

/// The first line: who this node is.
pub(crate) fn ready(peer: &PeerId) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    print(&json!({ "ready": { "peer": peer.to_string(), "library": "sinew", "version": version } }))
}

/// Answers a request.
pub(crate) fn answer(id: u64, outcome: Outcome) -> io::Result<()> {
    print(&match outcome {
        Ok(value) => json!({ "id": id, "ok": value }),
        Err(error) => json!({ "id": id, "error": chain(error.as_ref()) }),
    })
}

fn print(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// An error with everything that caused it, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
