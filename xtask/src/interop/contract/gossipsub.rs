//! The scenarios of the gossipsub suite: many nodes of one program, each in a network of its own on a host called `node<N>`, which
//! read one script and say on stdout what has come to them.

mod network;
mod scenario;
mod verdict;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;

pub(crate) use self::scenario::Scenario;
use self::{
    network::{Network, NetworkError},
    verdict::VerdictError,
};
use super::POLL;
use crate::{
    child::Child,
    interop::{cases::Case, peers::Places, results::store},
};

/// How much longer than its script a scenario may take.
const SPARE: Duration = Duration::from_secs(60);

/// Held while a scenario runs: one has as many processes as two cores bear, and the networks have fixed names.
static RUNNING: Mutex<()> = Mutex::new(());

/// Why a scenario failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScenarioError {
    #[error("the networks cannot be made")]
    Network(#[from] NetworkError),
    #[error("the script cannot be written")]
    Script,
    #[error("node{number}: cannot be started")]
    Start { number: usize, source: io::Error },
    #[error("node{number}: not done in {} s", .limit.as_secs())]
    Late { number: usize, limit: Duration },
    #[error("node{number}: {status}: {said}")]
    Ended {
        number: usize,
        status: ExitStatus,
        said: String,
    },
    #[error("what node{number} has printed cannot be read")]
    Log { number: usize, source: io::Error },
    #[error(transparent)]
    Verdict(#[from] VerdictError),
}

/// Why no scenario can be run here, if so.
pub(in crate::interop) fn lacks() -> Option<String> {
    network::lacks()
}

/// Runs a scenario; the script and the logs stay in `folder` if it fails.
pub(in crate::interop) fn run(
    scenario: Scenario,
    case: &Case<'_>,
    places: &Places,
    folder: &Path,
) -> Result<(), ScenarioError> {
    let _alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let play = scenario.play();
    let script = folder.join("params.json");
    store(&script, &json!({ "script": play.script }).to_string()).map_err(|_| ScenarioError::Script)?;
    let network = Network::lay(play.nodes, folder)?;
    let start = |number| {
        let mut program = case.dialer.program(places);
        program.arg("--params").arg(&script);
        logged(network.command(number, &program), number, folder)
            .map_err(|source| ScenarioError::Start { number, source })
    };
    let nodes = (0..play.nodes).map(start).collect::<Result<Vec<_>, _>>()?;
    wait(nodes, play.length + SPARE, folder)?;
    let logs = (0..play.nodes).map(|number| {
        let log = fs::read_to_string(stdout(folder, number));
        log.map_err(|source| ScenarioError::Log { number, source })
    });
    play.judge(&logs.collect::<Result<Vec<_>, _>>()?)?;
    // Logs that stay do no harm.
    let _ = fs::remove_dir_all(folder);
    Ok(())
}

fn logged(command: Command, number: usize, folder: &Path) -> io::Result<Child> {
    let stderr = File::create(stderr(folder, number))?;
    Child::logged(command, File::create(stdout(folder, number))?, stderr)
}

fn stdout(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("node{number}.stdout.log"))
}

fn stderr(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("node{number}.stderr.log"))
}

/// Waits until all nodes have ended, each of them well.
fn wait(mut nodes: Vec<Child>, limit: Duration, folder: &Path) -> Result<(), ScenarioError> {
    let deadline = Instant::now() + limit;
    for (number, node) in nodes.iter_mut().enumerate() {
        let status = loop {
            match node.ended() {
                Some(status) => break status,
                None if Instant::now() > deadline => return Err(ScenarioError::Late { number, limit }),
                None => sleep(POLL),
            }
        };
        if !status.success() {
            let said = fs::read_to_string(stderr(folder, number)).unwrap_or_default();
            let said = said.lines().last().unwrap_or("it does not say why").to_owned();
            return Err(ScenarioError::Ended { number, status, said });
        }
    }
    Ok(())
}
