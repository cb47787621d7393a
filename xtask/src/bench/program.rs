//! One running program and its lines (benches/README.md).

use std::{
    fs::File, io, path::Path, process::Command, sync::mpsc::RecvTimeoutError, thread::Scope, time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{dialogue::Dialogue, proc};

/// How long a program may take to end after its stdin has ended; what is still there then is killed.
const STOP: Duration = Duration::from_secs(2);

/// What went wrong with a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{role}: cannot be started")]
    Start { role: &'static str, source: io::Error },
    #[error("{role}: cannot be spoken with")]
    Pipe { role: &'static str, source: io::Error },
    #[error("`{command}` says: {said}")]
    Network { command: String, said: String },
    #[error("{role}: ended before `{line}`")]
    Ended { role: &'static str, line: &'static str },
    #[error("{role}: no `{line}` in {} s", limit.as_secs())]
    Late {
        role: &'static str,
        line: &'static str,
        limit: Duration,
    },
    #[error("{0} messages were lost, or came twice")]
    Lost(u64),
    #[error("{role}: its `{line}` is not as expected")]
    Line {
        role: &'static str,
        line: &'static str,
        source: serde_json::Error,
    },
}

/// A running program; dropping it ends it.
pub(crate) struct Program {
    role: &'static str,
    dialogue: Dialogue,
}

impl Program {
    /// Starts it, with its stderr in a file.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        role: &'static str,
        command: Command,
        log: &Path,
    ) -> Result<Self, RunError> {
        let stderr = File::create(log);
        let started = stderr.and_then(|stderr| Dialogue::start(scope, command, stderr));
        match started {
            Ok(dialogue) => Ok(Self { role, dialogue }),
            Err(source) => Err(RunError::Start { role, source }),
        }
    }

    /// Waits for a line, an object with this one field.
    pub(crate) fn line<T: DeserializeOwned>(
        &self,
        line: &'static str,
        limit: Duration,
    ) -> Result<T, RunError> {
        let role = self.role;
        let text = self.dialogue.line(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => RunError::Late { role, line, limit },
            RecvTimeoutError::Disconnected => RunError::Ended { role, line },
        })?;
        let object = serde_json::from_str::<Value>(&text).and_then(|mut object| {
            let field = object.get_mut(line).map(Value::take);
            serde_json::from_value(field.unwrap_or_default())
        });
        object.map_err(|source| RunError::Line { role, line, source })
    }

    /// Sends a line, which lets it go on.
    pub(crate) fn go_on(&mut self) -> Result<(), RunError> {
        let role = self.role;
        let sent = self.dialogue.say("");
        sent.map_err(|source| RunError::Pipe { role, source })
    }

    /// Its processor time so far, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64, RunError> {
        self.of_system(proc::cpu)
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> Result<f64, RunError> {
        self.of_system(proc::resident)
    }

    fn of_system(&self, read: fn(u32) -> io::Result<f64>) -> Result<f64, RunError> {
        let role = self.role;
        read(self.dialogue.id()).map_err(|source| RunError::Pipe { role, source })
    }

    /// Asks it to end, and waits a little.
    pub(crate) fn stop(mut self) {
        self.dialogue.stop(STOP);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::thread;

    const LIMIT: Duration = Duration::from_secs(20);

    /// Runs a shell script in the place of a program.
    fn with_script(script: &str, test: impl FnOnce(Program)) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let log = folder.path().join("log");
        thread::scope(|scope| test(Program::start(scope, "server", command, &log).expect("sh is there")));
    }

    #[test]
    fn a_line_is_read_and_one_is_sent() {
        with_script(r#"read go; echo '{"settled":true}'; read end"#, |mut program| {
            assert!(program.resident().unwrap() > 0.0 && program.cpu().unwrap() >= 0.0);
            program.go_on().unwrap();
            assert!(program.line::<bool>("settled", LIMIT).unwrap());
            program.stop();
        });
    }

    #[test]
    fn an_end_and_another_line_are_no_answers() {
        with_script("exit 1", |program| {
            let error = program.line::<bool>("ready", LIMIT).unwrap_err();
            assert_eq!(error.to_string(), "server: ended before `ready`");
        });
        with_script(r#"echo '{"other":true}'; read end"#, |program| {
            let error = program.line::<bool>("ready", LIMIT).unwrap_err();
            assert!(matches!(error, RunError::Line { .. }), "{error}");
        });
    }

    #[test]
    fn silence_ends_at_the_limit() {
        with_script("read end", |program| {
            let error = program
                .line::<bool>("ready", Duration::from_millis(20))
                .unwrap_err();
            assert!(matches!(error, RunError::Late { .. }), "{error}");
        });
    }
}
