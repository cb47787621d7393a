//! One running peer program and its control protocol: a request a line, an answer a line, a deadline each.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::Command,
    sync::mpsc::RecvTimeoutError,
    thread::Scope,
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::dialogue::Dialogue;

/// How long a program may take to say who it is: node starts in about a second, more when both cores are busy.
const START: Duration = Duration::from_secs(20);

/// How long a program may take to end after its stdin has ended.
const STOP: Duration = Duration::from_secs(5);

/// What went wrong with one step of a test.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error("{role}: cannot be started")]
    Start { role: String, source: io::Error },
    #[error("{role}: its stdin cannot be written")]
    Write { role: String, source: io::Error },
    #[error("{role}: ended during `{step}`")]
    Ended { role: String, step: String },
    #[error("{role}: no answer to `{step}` in {} s", limit.as_secs())]
    Late {
        role: String,
        step: String,
        limit: Duration,
    },
    #[error("{role}: `{step}` failed: {error}")]
    Refused {
        role: String,
        step: String,
        error: String,
    },
    #[error("{role}: answered `{step}` with what is no answer: {line}")]
    Answer {
        role: String,
        step: String,
        line: String,
        source: serde_json::Error,
    },
    #[error("{role}: {what}: expected {expected}, found {found}")]
    Differs {
        role: String,
        what: &'static str,
        expected: String,
        found: String,
    },
    #[error("{role}: did not end in {} s after its stdin had ended", STOP.as_secs())]
    Stuck { role: String },
}

/// A line from a program.
#[derive(Deserialize)]
struct Answer {
    id: u64,
    ok: Option<Value>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Ready {
    ready: Who,
}

#[derive(Default, Deserialize)]
struct Who {
    peer: String,
    library: String,
    version: String,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Value>,
}

/// A running program; dropping it ends it.
pub(crate) struct Node {
    role: String,
    who: Who,
    dialogue: Dialogue,
    transcript: File,
    next_id: u64,
}

impl Node {
    /// Starts the program, its logs in `folder`, and learns its peer id.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        role: &str,
        command: Command,
        folder: &Path,
    ) -> Result<Self, StepError> {
        let start = |source| StepError::Start {
            role: role.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(start)?;
        let transcript = File::create(folder.join(format!("{role}.control.log"))).map_err(start)?;
        let stderr = File::create(folder.join(format!("{role}.stderr.log"))).map_err(start)?;
        let dialogue = Dialogue::start(scope, command, stderr).map_err(start)?;
        let mut node = Self {
            role: role.to_owned(),
            who: Who::default(),
            dialogue,
            transcript,
            next_id: 1,
        };
        let line = node.line("start", START)?;
        let Ready { ready } = node.parse("start", &line)?;
        node.who = ready;
        Ok(node)
    }

    /// Its peer id.
    pub(crate) fn peer(&self) -> &str {
        &self.who.peer
    }

    /// Its library, with the version.
    pub(crate) fn version(&self) -> String {
        format!("{} {}", self.who.library, self.who.version)
    }

    /// How many events of this kind there have been.
    pub(crate) fn count(&mut self, kind: &str) -> Result<usize, StepError> {
        self.events(kind, 0, START).map(|events| events.len())
    }

    /// The first event of this kind after as many others; waits for it until the limit.
    pub(crate) fn event_after(
        &mut self,
        kind: &str,
        others: usize,
        limit: Duration,
    ) -> Result<Value, StepError> {
        let mut events = self.events(kind, others + 1, limit)?;
        Ok(events.swap_remove(others))
    }

    fn events(&mut self, kind: &str, count: usize, limit: Duration) -> Result<Vec<Value>, StepError> {
        let found: Events = self.ask("events", json!({ "kind": kind, "count": count }), limit)?;
        if found.events.len() < count {
            return Err(self.differs(
                "events",
                format!("{count} or more"),
                found.events.len().to_string(),
            ));
        }
        Ok(found.events)
    }

    /// Asks for something to be done, and waits for the answer until the limit.
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        step: &str,
        request: Value,
        limit: Duration,
    ) -> Result<T, StepError> {
        let id = self.send(step, request)?;
        self.answer(step, id, limit)
    }

    /// Asks for something to be done, and gives the id that the answer will have.
    pub(crate) fn send(&mut self, step: &str, mut request: Value) -> Result<u64, StepError> {
        let id = self.next_id;
        request["do"] = step.into();
        request["id"] = json!(id);
        self.write(&request.to_string())
            .map_err(|source| StepError::Write {
                role: self.role.clone(),
                source,
            })?;
        self.next_id += 1;
        Ok(id)
    }

    /// Waits until the limit for the answer with this id; it is a failure if another one comes first.
    pub(crate) fn answer<T: DeserializeOwned>(
        &mut self,
        step: &str,
        id: u64,
        limit: Duration,
    ) -> Result<T, StepError> {
        let role = self.role.clone();
        let line = self.line(step, limit)?;
        let answer: Answer = self.parse(step, &line)?;
        if answer.id != id {
            return Err(self.differs("the id of an answer", id.to_string(), answer.id.to_string()));
        }
        match answer.error {
            Some(error) => Err(StepError::Refused {
                role,
                step: step.to_owned(),
                error,
            }),
            None => {
                serde_json::from_value(answer.ok.unwrap_or_default()).map_err(|source| StepError::Answer {
                    role,
                    step: step.to_owned(),
                    line,
                    source,
                })
            }
        }
    }

    /// An error that says what was expected of this program.
    pub(crate) fn differs(
        &self,
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> StepError {
        StepError::Differs {
            role: self.role.clone(),
            what,
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// Ends its stdin, which asks the program to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> Result<(), StepError> {
        if self.dialogue.stop(STOP) {
            return Ok(());
        }
        Err(StepError::Stuck {
            role: self.role.clone(),
        })
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.transcript, "> {line}")?;
        self.dialogue.say(line)
    }

    fn line(&mut self, step: &str, limit: Duration) -> Result<String, StepError> {
        let (role, step) = (self.role.clone(), step.to_owned());
        let line = self.dialogue.line(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => StepError::Late { role, step, limit },
            RecvTimeoutError::Disconnected => StepError::Ended { role, step },
        })?;
        // A transcript that cannot be written is no reason to fail a test.
        let _ = writeln!(self.transcript, "< {line}");
        Ok(line)
    }

    fn parse<T: DeserializeOwned>(&self, step: &str, line: &str) -> Result<T, StepError> {
        serde_json::from_str(line).map_err(|source| StepError::Answer {
            role: self.role.clone(),
            step: step.to_owned(),
            line: line.to_owned(),
            source,
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Runs a shell script in the place of a peer.
    fn with_script(script: &str, test: impl FnOnce(Result<Node, StepError>)) {
        let folder = std::env::temp_dir().join(format!("sinew-interop-{}-{:p}", std::process::id(), script));
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        std::thread::scope(|scope| test(Node::start(scope, "listener", command, &folder)));
        fs::remove_dir_all(folder).expect("made above");
    }

    const READY: &str = r#"echo '{"ready":{"peer":"me","library":"sh","version":"1"}}'"#;

    #[test]
    fn an_answer_is_handed_over() {
        let script = format!(r#"{READY}; read line; echo '{{"id":1,"ok":[7]}}'; cat >&2"#);
        with_script(&script, |node| {
            let mut node = node.unwrap();
            assert_eq!((node.peer(), node.version().as_str()), ("me", "sh 1"));
            let answer: Vec<u8> = node.ask("count", json!({}), START).unwrap();
            assert_eq!(answer, [7]);
            node.stop().unwrap();
        });
    }

    #[test]
    fn an_error_names_the_role_and_the_step() {
        let script = format!(r#"{READY}; read line; echo '{{"id":1,"error":"no route"}}'; cat >&2"#);
        with_script(&script, |node| {
            let error = node.unwrap().ask::<Value>("dial", json!({}), START).unwrap_err();
            assert_eq!(error.to_string(), "listener: `dial` failed: no route");
        });
    }

    #[test]
    fn silence_and_an_early_end_are_told_apart() {
        with_script(&format!("{READY}; cat >&2"), |node| {
            let asked = node
                .unwrap()
                .ask::<Value>("ping", json!({}), Duration::from_millis(50));
            let error = asked.unwrap_err();
            assert!(matches!(error, StepError::Late { .. }), "{error}");
        });
        with_script("exit 3", |node| {
            assert!(matches!(node, Err(StepError::Ended { .. })));
        });
    }
}
