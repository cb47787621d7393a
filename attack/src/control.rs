//! JSON, one object a line, between the processes of a run: the control protocol of the interop suite.

use crate::error::AttackError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, stdin},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// How long a process may take to end once it was asked to.
const FAREWELL: Duration = Duration::from_secs(5);

/// A process that was started, and what it is asked.
pub(crate) struct Process {
    role: &'static str,
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    next: u64,
}

impl Process {
    /// Starts a process and waits until it says that it is ready.
    pub(crate) async fn start(role: &'static str, mut command: Command) -> Result<Self, AttackError> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let program = format!("{:?}", command.as_std().get_program());
        let failed = |source| AttackError::Start { program, source };
        let mut child = command.spawn().map_err(failed)?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(AttackError::Ended { role });
        };
        let answers = BufReader::new(answers).lines();
        let mut this = Self {
            role,
            child,
            requests,
            answers,
            next: 0,
        };
        this.line(Duration::from_secs(60)).await?;
        Ok(this)
    }

    /// A command that starts this program in another role.
    pub(crate) fn ours(args: &[&str]) -> Result<Command, AttackError> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.args(args);
        Ok(command)
    }

    /// The number of the process; 0 once it has ended.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Whether the process runs.
    pub(crate) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, mut request: Value, within: Duration) -> Result<Value, AttackError> {
        self.next += 1;
        request["id"] = json!(self.next);
        self.requests.write_all(format!("{request}\n").as_bytes()).await?;
        loop {
            let mut answer = self.line(within).await?;
            if answer["id"] != json!(self.next) {
                continue;
            }
            if let Some(reason) = answer.get("error") {
                let reason = reason.to_string();
                return Err(AttackError::Refused {
                    role: self.role,
                    reason,
                });
            }
            return Ok(answer["ok"].take());
        }
    }

    /// Ends the process: its input ends, and if that is not enough, it is killed.
    pub(crate) async fn end(mut self) {
        drop(self.requests);
        if timeout(FAREWELL, self.child.wait()).await.is_err() {
            // It may have ended in this moment; then there is nothing left to kill.
            let _ = self.child.kill().await;
        }
    }

    async fn line(&mut self, within: Duration) -> Result<Value, AttackError> {
        let (role, seconds) = (self.role, within.as_secs());
        let line = timeout(within, self.answers.next_line()).await;
        let line = line.map_err(|_| AttackError::Silent { role, seconds })??;
        Ok(serde_json::from_str(&line.ok_or(AttackError::Ended { role })?)?)
    }
}

/// One request of the process that started this one.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    id: u64,
    /// The command.
    #[serde(rename = "do")]
    pub(crate) command: String,
    /// How many, where the command counts something.
    #[serde(default)]
    pub(crate) count: usize,
    /// Where, where the command needs an address.
    #[serde(default)]
    pub(crate) addr: String,
}

impl Request {
    /// Answers with what was asked for.
    pub(crate) fn ok(&self, result: &Value) {
        println!("{}", json!({ "id": self.id, "ok": result }));
    }

    /// Answers that it cannot be done.
    pub(crate) fn error(&self, reason: &str) {
        println!("{}", json!({ "id": self.id, "error": reason }));
    }
}

/// The requests to this process.
pub(crate) struct Requests(Lines<BufReader<Stdin>>);

impl Requests {
    /// Says that this process is ready, and listens.
    pub(crate) fn ready() -> Self {
        println!("{}", json!({ "ready": { "library": "sinew" } }));
        Self(BufReader::new(stdin()).lines())
    }

    /// The next request; `None` when this process shall end.
    pub(crate) async fn next(&mut self) -> Result<Option<Request>, AttackError> {
        Ok(match self.0.next_line().await? {
            Some(line) => Some(serde_json::from_str(&line)?),
            None => None,
        })
    }
}
