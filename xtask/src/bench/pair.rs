//! One run: a server and a client of the same library, as two processes.

use std::{fs, io, net::Ipv4Addr, path::Path, process::Command, thread, time::Duration};

use serde::Deserialize;

use super::{
    figures::{Counted, Sample},
    program::{Program, RunError},
    programs,
    rows::{Measure, Row, Subject},
};

/// How long a program may take to be ready: a thousand nodes are made in this time.
pub(crate) const READY: Duration = Duration::from_secs(120);

/// How long a measurement may take beyond its own time.
const GRACE: Duration = Duration::from_secs(120);

/// Twice the time after which the allocators of the programs give freed memory back.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);

/// When connections count as idle: programs give buffers back a few seconds after the last byte.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

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

/// A server and a client, what they do, and where.
pub(crate) struct Pair<'a> {
    pub(crate) row: &'a Row,
    pub(crate) server: Subject,
    pub(crate) client: Subject,
    pub(crate) seconds: f64,
    pub(crate) place: &'a Place,
    pub(crate) logs: &'a Path,
}

/// Where the programs are.
pub(crate) struct Place {
    /// The network of the server, and that of the client; the machine's own if there is none.
    pub(crate) networks: Option<[&'static str; 2]>,
    /// Where the server listens.
    pub(crate) ip: Ipv4Addr,
}

impl Place {
    /// On the loopback interface.
    pub(crate) const HERE: Self = Self {
        networks: None,
        ip: Ipv4Addr::LOCALHOST,
    };

    /// A command that starts a program at one side.
    fn command(&self, side: usize, program: &Path) -> Command {
        match self.networks {
            None => Command::new(program),
            Some(networks) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", networks[side]]).arg(program);
                command
            }
        }
    }
}

impl Pair<'_> {
    /// Starts both and measures them; says with which library the server was made too.
    pub(crate) fn run<T>(
        &self,
        measure: impl FnOnce(&mut Program, &mut Program) -> Result<T, RunError>,
    ) -> Result<(Ready, T), RunError> {
        let logs = self.logs;
        fs::create_dir_all(logs).map_err(|source| RunError::Start { role: "log", source })?;
        thread::scope(|scope| {
            let command = self.server_command();
            let mut server = Program::start(scope, "server", command, &logs.join("server.log"))?;
            let ready: Ready = server.line("ready", READY)?;
            let command = self.client_command(&ready.addr);
            let mut client = Program::start(scope, "client", command, &logs.join("client.log"))?;
            client.line::<Ready>("ready", READY)?;
            let measured = measure(&mut client, &mut server)?;
            client.stop();
            server.stop();
            Ok((ready, measured))
        })
    }

    /// Runs them once as the comparison does.
    pub(crate) fn sample(&self) -> Result<(Ready, Sample), RunError> {
        self.run(|client, server| measure(self.row, (client, server), self.seconds))
    }

    fn server_command(&self) -> Command {
        let mut command = self.command(0, self.server);
        command.args(["server", "--stack", stack(self.row, self.server)]);
        command.args(["--ip", &self.place.ip.to_string()]);
        command
    }

    fn client_command(&self, addr: &str) -> Command {
        let mut command = self.command(1, self.client);
        command
            .args(["client", "--stack", stack(self.row, self.client), "--addr", addr])
            .args(["--case", self.row.case_argument()])
            .args(["--streams", &self.row.streams.to_string()])
            .args(["--seconds", &self.seconds.to_string()]);
        command
    }

    fn command(&self, side: usize, subject: Subject) -> Command {
        let mut command = self.place.command(side, &programs::of(subject));
        // As many as the runtimes of the other programs have workers.
        command.env("GOMAXPROCS", "2");
        if self.row.measure() == Measure::Memory {
            command.env("_RJEM_MALLOC_CONF", GIVE_BACK);
        }
        command
    }
}

fn measure(
    row: &Row,
    (client, server): (&mut Program, &mut Program),
    seconds: f64,
) -> Result<Sample, RunError> {
    let is_memory = row.measure() == Measure::Memory;
    let before = if is_memory { settled(server, SETTLE)? } else { 0.0 };
    let cpu = [client.cpu()?, server.cpu()?];
    client.go_on()?;
    let counted = result(client, seconds)?;
    let cpu = [client.cpu()? - cpu[0], server.cpu()? - cpu[1]];
    let after = if is_memory { settled(server, IDLE)? } else { 0.0 };
    Ok(Sample::new(row.measure(), &counted, cpu, after - before))
}

/// What a client says of a measurement that takes so many seconds.
pub(crate) fn result(client: &Program, seconds: f64) -> Result<Counted, RunError> {
    client.line("result", GRACE + Duration::from_secs_f64(seconds))
}

/// What the server holds once it has given back what it does not need, after some time and when asked to.
pub(crate) fn settled(server: &mut Program, after: Duration) -> Result<f64, RunError> {
    thread::sleep(after);
    server.go_on()?;
    server.line::<bool>("settled", READY)?;
    server.resident()
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
