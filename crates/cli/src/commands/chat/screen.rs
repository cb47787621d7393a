//! What a chat shows: lines above a prompt for people, events for programs.

use super::input::{Line, TooLong};
use crate::{
    error::CliError,
    output::{self, Output, printable},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sinew::{Multiaddr, PeerId, gossipsub::Published};
use std::io::{self, IsTerminal};

/// The letters of a message that are shown to people.
const MAX_SHOWN: usize = 2000;

/// The last letters of a peer id, by which people tell peers apart.
const SHORT: usize = 8;

/// Red to cyan, of ECMA-48.
const COLOURS: [u8; 6] = [31, 32, 33, 34, 35, 36];

/// Dimmed, likewise.
const DIM: u8 = 2;

/// A line of the input of a program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    text: String,
}

pub(super) struct Screen {
    output: Output,
    /// Whether somebody types at a terminal, above whose line things are shown.
    live: bool,
}

impl Screen {
    pub(super) fn new(output: Output) -> Self {
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let live = !output.is_json() && !is_dumb && io::stdin().is_terminal() && io::stdout().is_terminal();
        Self { output, live }
    }

    /// Asks for a line.
    pub(super) fn prompt(&self) {
        if self.live {
            output::raw(b"\r\x1b[K> ");
        }
    }

    /// Takes the prompt away.
    pub(super) fn close(&self) {
        if self.live {
            output::raw(b"\r\x1b[K");
        }
    }

    /// What a line of the input says; `None` if nothing.
    pub(super) fn read(&self, line: Line) -> Result<Option<String>, String> {
        let line = line.map_err(|TooLong| "a line that is too long; write it as several".to_owned())?;
        if line.trim().is_empty() {
            return Ok(None);
        }
        if !self.output.is_json() {
            return Ok(Some(line));
        }
        let message: Result<Message, _> = serde_json::from_str(&line);
        let message = message.map_err(|error| format!(r#"{error}; a line is {{"text": "hello"}}"#))?;
        Ok(Some(message.text))
    }

    pub(super) fn joined(&self, peer: &PeerId) {
        let text = format!("+ {} joined ({peer})", self.name(peer));
        self.say(&text, &json!({ "event": "joined", "peer": peer.to_string() }));
    }

    pub(super) fn left(&self, peer: &PeerId) {
        let text = format!("- {} left", self.name(peer));
        self.say(&text, &json!({ "event": "left", "peer": peer.to_string() }));
    }

    pub(super) fn message(&self, author: &PeerId, said: &str) {
        let text = format!("{}: {}", self.name(author), printable(said, MAX_SHOWN));
        let object = json!({ "event": "message", "peer": author.to_string(), "text": said });
        self.say(&text, &object);
    }

    /// People see what they typed; that nobody hears it they do not.
    pub(super) fn sent(&self, published: &Published) {
        let (id, peers) = (published.id.to_string(), published.peers);
        self.output
            .object(&json!({ "event": "sent", "id": id, "peers": peers }));
        if peers == 0 {
            self.remark("nobody is here to read that");
        }
    }

    pub(super) fn not_sent(&self, problem: &str) {
        let object = json!({ "event": "not_sent", "error": problem });
        self.say(&format!("not sent: {problem}"), &object);
    }

    pub(super) fn not_reached(&self, addr: &Multiaddr, error: &CliError) {
        let object = json!({ "event": "not_reached", "addr": addr.to_string(), "error": error.to_string() });
        self.say(&format!("{addr} is not reached: {error}"), &object);
    }

    pub(super) fn alone(&self) {
        self.output.object(&json!({ "event": "alone" }));
        self.remark("connected, but nobody there follows this topic so far");
    }

    pub(super) fn lost(&self, events: u64) {
        let text = format!("{events} lines came too fast and are lost");
        self.say(&text, &json!({ "event": "lost", "events": events }));
    }

    fn remark(&self, text: &str) {
        if !self.output.is_json() {
            self.say(&self.output.styled(DIM, text), &Value::Null);
        }
    }

    /// Shows a line above the one that is being typed.
    fn say(&self, text: &str, object: &Value) {
        self.close();
        self.output.say(text, object);
        self.prompt();
    }

    /// A peer as people tell it from others, in a colour of its own.
    fn name(&self, peer: &PeerId) -> String {
        let colour = peer.as_bytes().last().map_or(0, |byte| usize::from(*byte)) % COLOURS.len();
        let id = peer.to_string();
        self.output
            .styled(COLOURS[colour], &id[id.len().saturating_sub(SHORT)..])
    }
}
