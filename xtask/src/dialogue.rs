//! A running program that is spoken with in lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    process::{ChildStdin, ChildStdout, Command},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, Scope},
    time::{Duration, Instant},
};

use crate::child::Child;

/// Lines that a program may be ahead of us; it only answers, so one would do.
const LINES_AHEAD: usize = 16;

/// Between two looks at whether a program has ended.
const POLL: Duration = Duration::from_millis(5);

/// Such a program; dropping it ends it.
pub(crate) struct Dialogue {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Dialogue {
    /// Starts it, with its stderr in a file.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        command: Command,
        stderr: File,
    ) -> io::Result<Self> {
        let (child, stdin, stdout) = Child::piped(command, stderr)?;
        let (sender, lines) = sync_channel(LINES_AHEAD);
        scope.spawn(move || forward(stdout, &sender));
        Ok(Self {
            child,
            stdin: Some(stdin),
            lines,
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{line}\n").as_bytes())
    }

    /// Waits for its next line until the limit: it is late then, or it has ended before (`Disconnected`).
    pub(crate) fn line(&self, limit: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(limit)
    }

    /// Ends its stdin, which asks it to end, and says whether it has within the limit.
    pub(crate) fn stop(&mut self, limit: Duration) -> bool {
        drop(self.stdin.take());
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.child.ended().is_some() {
                return true;
            }
            thread::sleep(POLL);
        }
        false
    }
}

fn forward(stdout: ChildStdout, lines: &SyncSender<String>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if lines.send(line).is_err() {
            return;
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Runs a shell script in the place of a program.
    fn with_script(script: &str, test: impl FnOnce(Dialogue)) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let stderr = File::create(folder.path().join("log")).expect("a file");
        thread::scope(|scope| test(Dialogue::start(scope, command, stderr).expect("sh is there")));
    }

    #[test]
    fn a_line_is_sent_and_one_is_read() {
        with_script(r#"read word; echo "it was $word"; read end"#, |mut program| {
            program.say("so").unwrap();
            assert_eq!(program.line(LIMIT).unwrap(), "it was so");
            assert!(program.stop(LIMIT));
        });
    }

    #[test]
    fn silence_ends_at_the_limit_and_the_whole_group_is_ended() {
        // The grandchild holds stdout open: the reader's thread ends only if it is ended too.
        with_script("sleep 600 & wait", |program| {
            let silence = program.line(Duration::from_millis(20));
            assert_eq!(silence, Err(RecvTimeoutError::Timeout));
        });
    }

    #[test]
    fn an_early_end_is_no_wait() {
        with_script("exit 3", |program| {
            assert_eq!(program.line(LIMIT), Err(RecvTimeoutError::Disconnected));
        });
    }

    #[test]
    fn a_program_that_goes_on_is_not_waited_for_longer() {
        with_script("sleep 600", |mut program| {
            assert!(!program.stop(Duration::from_millis(20)));
        });
    }
}
