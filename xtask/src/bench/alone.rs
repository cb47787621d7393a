//! One run of a case whose nodes are all in one process.

use std::{fs, path::Path, process::Command, thread};

use super::{
    figures::Sample,
    pair::{READY, Ready, result},
    program::{Program, RunError},
    programs,
    rows::{Case, Row, Subject},
};

/// Runs it once.
pub(crate) fn sample(
    row: &Row,
    subject: Subject,
    seconds: f64,
    logs: &Path,
) -> Result<(Ready, Sample), RunError> {
    fs::create_dir_all(logs).map_err(|source| RunError::Start { role: "log", source })?;
    thread::scope(|scope| {
        let command = command(row, subject, seconds);
        let mut program = Program::start(scope, "nodes", command, &logs.join("nodes.log"))?;
        let ready: Ready = program.line("ready", READY)?;
        let cpu = program.cpu()?;
        program.go_on()?;
        let counted = result(&program, seconds)?;
        let cpu = program.cpu()? - cpu;
        program.stop();
        if counted.failed > 0 {
            return Err(RunError::Lost(counted.failed));
        }
        Ok((ready, Sample::new(row.measure(), &counted, [cpu, 0.0], 0.0)))
    })
}

fn command(row: &Row, subject: Subject, seconds: f64) -> Command {
    let mut command = Command::new(programs::of(subject));
    command
        .args(["pubsub", "--stack", row.stack])
        .args(["--nodes", &row.streams.to_string()])
        .args(["--seconds", &seconds.to_string()])
        .env("GOMAXPROCS", "2");
    if let Case::Pubsub { full, signed } = row.case {
        command.args(full.then_some("--full"));
        command.args(signed.then_some("--signed"));
    }
    command
}
