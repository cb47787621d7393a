//! The `sinew` command as a process of a test.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// More than any line or end takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// After which something is tried again.
const WHILE: Duration = Duration::from_millis(200);

/// Where nodes of tests listen.
pub(crate) const LOOPBACK: &str = "/ip4/127.0.0.1/tcp/0";

/// The command as programs use it.
pub(crate) fn sinew(folder: &Path, args: &[&str]) -> Command {
    let mut command = for_people(folder, args);
    command.arg("--json");
    command
}

fn for_people(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    command
        .args(args)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env_remove("SINEW_LOG");
    command
}

/// Runs a command to its end: its exit code, and its lines, each of them one object.
pub(crate) fn run(folder: &Path, args: &[&str]) -> (i32, Vec<Value>) {
    let done = sinew(folder, args).output().expect("started");
    let text = String::from_utf8(done.stdout).expect("text");
    let lines = text.lines().map(object).collect();
    (done.status.code().expect("it ended by itself"), lines)
}

pub(crate) fn object(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    assert!(value.is_object(), "{line:?}");
    value
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no text {name} in {value}"))
}

/// The lines of a process, read beside the test, so that waiting for one has a deadline.
#[expect(clippy::disallowed_methods, reason = "a pipe cannot be read with a deadline")]
fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        // Ends with the process, or with the test.
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A command that runs until it is told to end. Dropping it kills it.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    pub(crate) addr: String,
}

impl Running {
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        Self::as_told(folder, &[args, &["--listen", LOOPBACK]].concat())
    }

    /// Listens where its arguments or its configuration say.
    pub(crate) fn as_told(folder: &Path, args: &[&str]) -> Self {
        let mut running = Self::spawn(sinew(folder, args));
        let started = running.line();
        assert_eq!(text(&started, "event"), "started");
        running.addr = started["addrs"][0].as_str().expect("it listens").to_owned();
        assert!(running.addr.ends_with(text(&started, "peer")));
        running
    }

    /// As a person starts it, except that there is no terminal.
    pub(crate) fn for_people(folder: &Path, args: &[&str]) -> Self {
        Self::spawn(for_people(folder, args))
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let lines = lines_of(child.stdout.take().expect("it was asked for"));
        Self {
            input: child.stdin.take(),
            child,
            lines,
            addr: String::new(),
        }
    }

    /// Writes a line of input.
    pub(crate) fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it has not ended");
        writeln!(input, "{line}").expect("it runs");
    }

    /// Ends the input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line.
    pub(crate) fn words(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line")
    }

    /// The next line, which is an object.
    pub(crate) fn line(&self) -> Value {
        object(&self.words())
    }

    /// The next line, if there is one within a while.
    pub(crate) fn soon(&self) -> Option<Value> {
        let words = self.lines.recv_timeout(WHILE).ok()?;
        Some(object(&words))
    }

    /// The next line about `event`.
    pub(crate) fn event(&self, event: &str) -> Value {
        std::iter::repeat_with(|| self.line())
            .find(|line| line["event"] == event)
            .expect("lines go on until one is missing")
    }

    /// The exit code, once it has ended: after its last line there is nothing but its end.
    pub(crate) fn ended(mut self) -> i32 {
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let status = self.child.wait().expect("it was started");
        status.code().expect("it ended by itself")
    }

    pub(crate) fn signal(self, signal: Signal) -> i32 {
        self.tell(signal);
        self.ended()
    }

    pub(crate) fn tell(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("an id of a process"), signal).expect("it runs");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves it running; one that passed has seen its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What a command says on standard error, and its exit code.
pub(crate) fn complaint(folder: &Path, args: &[&str]) -> (i32, String) {
    let done = sinew(folder, args).output().expect("started");
    let text = String::from_utf8(done.stderr).expect("text");
    (done.status.code().expect("it ended by itself"), text)
}
