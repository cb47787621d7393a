//! One run: a server and a client of the same library, as two processes.

use std::{fs, io, path::Path, process::Command, thread, time::Duration};

use serde::Deserialize;

use super::{
    figures::{Counted, Sample},
    program::{Program, RunError},
    rows::{Measure, Row, Subject},
    run,
};

/// How long a program may take to be ready: a thousand nodes are made in this time.
const READY: Duration = Duration::from_secs(120);

/// How long a measurement may take beyond its own time.
const GRACE: Duration = Duration::from_secs(120);

/// Twice the time after which the allocators of the programs give freed memory back.
const SETTLE: Duration = Duration::from_secs(1);

/// When connections count as idle: programs give buffers back a few seconds after the last byte.
const IDLE: Duration = Duration::from_secs(5);

/// For jemalloc where memory is measured: what is freed goes back after half a second.
const GIVE_BACK: &str = "background_thread:true,dirty_decay_ms:500,muzzy_decay_ms:0";

/// What a program says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) library: String,
    pub(crate) version: String,
    /// Of a server only.
    #[serde(default)]
    addr: String,
}

/// Runs the row once, and says with which library.
pub(crate) fn run_once(
    row: &Row,
    subject: Subject,
    seconds: f64,
    logs: &Path,
) -> Result<(Ready, Sample), RunError> {
    fs::create_dir_all(logs).map_err(|source| RunError::Start { role: "log", source })?;
    thread::scope(|scope| {
        let mut command = program(row, subject);
        command.args(["server", "--stack", stack(row, subject)]);
        let mut server = Program::start(scope, "server", command, &logs.join("server.log"))?;
        let ready: Ready = server.line("ready", READY)?;
        let mut command = program(row, subject);
        command
            .args(["client", "--stack", stack(row, subject), "--addr", &ready.addr])
            .args(["--case", row.case_argument()])
            .args(["--streams", &row.streams.to_string()])
            .args(["--seconds", &seconds.to_string()]);
        let mut client = Program::start(scope, "client", command, &logs.join("client.log"))?;
        client.line::<Ready>("ready", READY)?;
        let sample = measure(row, (&mut client, &mut server), seconds)?;
        client.stop();
        server.stop();
        Ok((ready, sample))
    })
}

fn measure(
    row: &Row,
    (client, server): (&mut Program, &mut Program),
    seconds: f64,
) -> Result<Sample, RunError> {
    let limit = GRACE + Duration::from_secs_f64(seconds);
    let is_memory = row.measure() == Measure::Memory;
    let before = if is_memory { settled(server, SETTLE)? } else { 0.0 };
    let cpu = [client.cpu()?, server.cpu()?];
    client.go_on()?;
    let counted: Counted = client.line("result", limit)?;
    let cpu = [client.cpu()? - cpu[0], server.cpu()? - cpu[1]];
    let after = if is_memory { settled(server, IDLE)? } else { 0.0 };
    Ok(Sample::new(row.measure(), &counted, cpu, after - before))
}

/// What the server holds once it has given back what it does not need, after some time and when asked to.
fn settled(server: &mut Program, after: Duration) -> Result<f64, RunError> {
    thread::sleep(after);
    server.go_on()?;
    server.line::<bool>("settled", READY)?;
    server.resident()
}

fn program(row: &Row, subject: Subject) -> Command {
    let mut command = Command::new(run::program(subject));
    // As many as the runtimes of the other programs have workers.
    command.env("GOMAXPROCS", "2");
    if row.measure() == Measure::Memory {
        command.env("_RJEM_MALLOC_CONF", GIVE_BACK);
    }
    command
}

fn stack(row: &Row, subject: Subject) -> &'static str {
    match subject {
        Subject::Plain => row.plain_stack().unwrap_or(row.stack),
        _ => row.stack,
    }
}

/// Lets this process, and those that it starts, open as many files as the system allows.
#[cfg(unix)]
pub(crate) fn raise_descriptors() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

#[cfg(not(unix))]
pub(crate) fn raise_descriptors() -> io::Result<()> {
    Ok(())
}
