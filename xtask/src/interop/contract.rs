//! Tests by the contracts of the official suites: two fresh processes, each told its role and its stack by the environment,
//! that find each other through redis; the dialler's exit code and what it prints are the result.

pub(super) mod command_line;
pub(super) mod gossipsub;
mod result;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use sinew_crypto::sha256;

use super::{
    cases::Case,
    peers::{Peer, Places},
    redis::{self, Server},
};
use crate::child::Child;

const LISTENER: &str = "listener";
const DIALER: &str = "dialer";

/// Between two looks at whether a process has ended.
const POLL: Duration = Duration::from_millis(10);

/// How long the dialler may go on after the listener has ended; the official suites end it then.
const AFTER_LISTENER: Duration = Duration::from_secs(1);

/// What the perf suite moves in a test. Whether it works is tested, not how fast: the programs of both sides share two cores.
const PERF: [(&str, &str); 6] = [
    ("UPLOAD_BYTES", "4194304"),
    ("DOWNLOAD_BYTES", "4194304"),
    ("UPLOAD_ITERATIONS", "3"),
    ("DOWNLOAD_ITERATIONS", "3"),
    ("LATENCY_ITERATIONS", "10"),
    ("DURATION", "5"),
];

/// Which contract, in which spelling of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The transport suite.
    Transport,
    /// The same in the spelling of the older test plans.
    LegacyTransport,
    /// The perf suite.
    Perf,
}

impl Kind {
    /// The argument that the images of the official suites have in their entry points.
    fn argument(self) -> &'static str {
        match self {
            Self::Transport | Self::LegacyTransport => "transport",
            Self::Perf => "perf",
        }
    }

    /// How long both processes may take. The official suites allow three and five minutes.
    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Transport | Self::LegacyTransport => 60,
            Self::Perf => 120,
        })
    }
}

/// Why such a test failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractError {
    #[error("redis cannot be used")]
    Redis(#[source] io::Error),
    #[error("{role}: cannot be started")]
    Start { role: &'static str, source: io::Error },
    #[error("dialer: not done in {} s", .0.as_secs())]
    Late(Duration),
    #[error("listener: said not where it listens in {} s", .0.as_secs())]
    NoAddress(Duration),
    #[error("listener: ended before the dialer: {0}")]
    Listener(ExitStatus),
    #[error("dialer: {status}: {said}")]
    Dialer { status: ExitStatus, said: String },
    #[error("what is printed cannot be kept, or read")]
    Folder(#[source] io::Error),
    #[error("dialer: {0}")]
    Result(#[from] result::ResultError),
}

/// Runs one test; the logs stay in `folder` if it fails.
pub(super) fn run(
    kind: Kind,
    case: &Case<'_>,
    places: &Places,
    redis: Option<&str>,
    folder: &Path,
) -> Result<(), ContractError> {
    fs::create_dir_all(folder).map_err(ContractError::Folder)?;
    let key = test_key(&folder.to_string_lossy());
    let printed = thread::scope(|scope| {
        // The older test plans have one key for all tests: those have a redis of their own.
        let redis = match redis.filter(|_| kind != Kind::LegacyTransport) {
            Some(addr) => Redis::at(addr, &key),
            None => Server::start(scope).map(Redis::Ours),
        };
        let test = Test {
            kind,
            case,
            places,
            folder,
            redis: redis.map_err(ContractError::Redis)?,
            key,
        };
        let listener = test.start(LISTENER, case.listener)?;
        let dialer = test.start(DIALER, case.dialer)?;
        printed(dialer, listener, kind.limit(), folder)
    })?;
    match kind {
        Kind::Transport => result::transport(&printed)?,
        Kind::LegacyTransport => result::legacy_transport(&printed)?,
        Kind::Perf => result::perf(&printed)?,
    }
    // Logs that stay do no harm.
    let _ = fs::remove_dir_all(folder);
    Ok(())
}

/// What keeps the tests apart that share a redis: the first digits of the digest of their name, with the line's end.
fn test_key(name: &str) -> String {
    let digest = sha256(format!("{name}\n").as_bytes());
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Through which both sides find each other.
enum Redis {
    Ours(Server),
    At(String),
}

impl Redis {
    /// A redis of somebody else, without what an earlier run left under this key.
    fn at(addr: &str, key: &str) -> io::Result<Self> {
        redis::delete(addr, &format!("{key}_listener_multiaddr"))?;
        Ok(Self::At(addr.to_owned()))
    }

    fn addr(&self) -> String {
        match self {
            Self::Ours(server) => server.addr().to_string(),
            Self::At(addr) => addr.clone(),
        }
    }
}

/// A test that is being run.
struct Test<'a> {
    kind: Kind,
    case: &'a Case<'a>,
    places: &'a Places,
    folder: &'a Path,
    redis: Redis,
    key: String,
}

impl Test<'_> {
    fn start(&self, role: &'static str, about: &Peer) -> Result<Child, ContractError> {
        let mut command = about.program(self.places);
        command.arg(self.kind.argument());
        if self.case.stack.transport == "wss" {
            command.arg("--tls").arg(self.places.tls());
        }
        set_environment(&mut command, self.environment(role == DIALER));
        logged(command, role, self.folder).map_err(|source| ContractError::Start { role, source })
    }

    /// The variables of one side. The official suites have their listeners on `0.0.0.0`, in a network of their own.
    fn environment(&self, is_dialer: bool) -> Vec<(&'static str, String)> {
        let upgrade = self.case.stack.upgrade.as_ref();
        let mut variables = vec![
            ("IS_DIALER", is_dialer.to_string()),
            ("REDIS_ADDR", self.redis.addr()),
            ("TEST_KEY", self.key.clone()),
            ("TRANSPORT", self.case.stack.transport.clone()),
            ("LISTENER_IP", "127.0.0.1".to_owned()),
            ("DEBUG", "false".to_owned()),
        ];
        variables.extend(upgrade.map(|upgrade| ("SECURE_CHANNEL", upgrade.security.clone())));
        variables.extend(upgrade.map(|upgrade| ("MUXER", upgrade.muxer.clone())));
        match self.kind {
            Kind::Transport => variables,
            Kind::LegacyTransport => older(variables),
            Kind::Perf if is_dialer => {
                variables.extend(PERF.map(|(name, value)| (name, value.to_owned())));
                variables
            }
            Kind::Perf => variables,
        }
    }
}

/// The variables in the spelling of the older test plans, which lack some.
fn older(variables: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let renamed = variables
        .into_iter()
        .filter_map(|(name, value)| Some((older_name(name)?, value)));
    renamed.collect()
}

fn older_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "IS_DIALER" => "is_dialer",
        "REDIS_ADDR" => "redis_addr",
        "TRANSPORT" => "transport",
        "SECURE_CHANNEL" => "security",
        "MUXER" => "muxer",
        "LISTENER_IP" => "ip",
        _ => return None,
    })
}

/// Sets these, and no others that a contract has.
fn set_environment(command: &mut Command, variables: Vec<(&'static str, String)>) {
    let others = [
        "SECURE_CHANNEL",
        "MUXER",
        "TEST_KEY",
        "TEST_TIMEOUT_SECS",
        "IS_DIALER",
        "is_dialer",
    ];
    for name in others.into_iter().chain(PERF.map(|(name, _)| name)) {
        command.env_remove(name);
    }
    command.envs(variables);
}

fn logged(command: Command, role: &str, folder: &Path) -> io::Result<Child> {
    let stderr = File::create(folder.join(format!("{role}.stderr.log")))?;
    Child::logged(command, File::create(stdout(folder, role))?, stderr)
}

fn stdout(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.stdout.log"))
}

/// The last line that the dialler has said on stderr.
fn last_words(folder: &Path) -> String {
    let said = fs::read_to_string(folder.join(format!("{DIALER}.stderr.log"))).unwrap_or_default();
    said.lines().last().unwrap_or("it does not say why").to_owned()
}

/// What the dialler has printed when it has ended well.
fn printed(dialer: Child, listener: Child, limit: Duration, folder: &Path) -> Result<String, ContractError> {
    match wait(dialer, listener, limit)? {
        status if status.success() => {
            fs::read_to_string(stdout(folder, DIALER)).map_err(ContractError::Folder)
        }
        status => Err(ContractError::Dialer {
            status,
            said: last_words(folder),
        }),
    }
}

/// Waits until the dialler has ended. The listener, which ends only when it is ended, ends here.
fn wait(mut dialer: Child, mut listener: Child, limit: Duration) -> Result<ExitStatus, ContractError> {
    let deadline = Instant::now() + limit;
    let mut left_alone: Option<(Instant, ExitStatus)> = None;
    loop {
        if let Some(status) = dialer.ended() {
            return Ok(status);
        }
        let now = Instant::now();
        left_alone = left_alone.or_else(|| listener.ended().map(|status| (now, status)));
        match left_alone {
            Some((since, status)) if now - since > AFTER_LISTENER => {
                return Err(ContractError::Listener(status));
            }
            _ if now > deadline => return Err(ContractError::Late(limit)),
            _ => sleep(POLL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_the_official_suites() {
        // printf 'rust-v0.56 x rust-v0.56 (quic-v1)\n' | sha256sum
        assert_eq!(test_key("rust-v0.56 x rust-v0.56 (quic-v1)"), "a5b50d5e");
    }
}

#[cfg(test)]
#[cfg(unix)]
mod runs {
    use super::*;
    use crate::{
        interop::{cases, peers, rows::Run},
        workspace,
    };

    const RESULT: &str = r"printf 'latency:\n  handshake_plus_one_rtt: 2.5\n  ping_rtt: 1\n  unit: ms\n'";

    /// Runs shell scripts in the place of both programs, and says whether logs are left.
    fn with_scripts(kind: Kind, dialer: &str, listener: &str) -> (Result<(), ContractError>, bool) {
        let places = Places::new(workspace::root());
        let all = peers::load(&places).unwrap();
        let ours = all.ours().unwrap();
        let of_kind = |case: &cases::Case<'_>| matches!(case.test.run, Run::Contract(other) if other == kind);
        let cases = cases::against(ours, &[ours], &[]);
        let case = cases
            .into_iter()
            .find(|case| of_kind(case) && case.stack.to_string() == "tcp, noise, mplex");
        let peer = |script: &str| Peer {
            command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            ..ours.clone()
        };
        let (dialer, listener) = (peer(dialer), peer(listener));
        let case = cases::Case {
            dialer: &dialer,
            listener: &listener,
            ..case.unwrap()
        };
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let result = run(kind, &case, &places, None, &logs);
        (result, logs.exists())
    }

    #[test]
    fn the_environment_says_what_to_do() {
        let check = r#"[ "$TRANSPORT/$SECURE_CHANNEL/$MUXER" = tcp/noise/mplex ] && [ ${#TEST_KEY} = 8 ] && [ "$0" = transport ]"#;
        let dialer = format!(r#"{check} && [ "$IS_DIALER$UPLOAD_BYTES" = true ] && {RESULT}"#);
        let (result, logs) = with_scripts(Kind::Transport, &dialer, "sleep 600");
        assert!(result.is_ok(), "{result:?}");
        assert!(!logs, "of a test that passed");
    }

    #[test]
    fn the_older_spelling_has_no_key() {
        let dialer = r#"[ "$transport/$security/$muxer" = tcp/noise/mplex ] && [ "$is_dialer$TEST_KEY" = true ] &&
            echo '{"handshakePlusOneRTTMillis": 2, "pingRTTMilllis": 1}'"#;
        let (result, _) = with_scripts(Kind::LegacyTransport, dialer, "sleep 600");
        assert!(result.is_ok(), "{result:?}");
    }

    #[test]
    fn an_end_without_a_result_is_a_failure() {
        let (result, logs) = with_scripts(Kind::Transport, "true", "sleep 600");
        assert!(matches!(result, Err(ContractError::Result(_))), "{result:?}");
        assert!(logs);
        let (result, _) = with_scripts(
            Kind::Transport,
            &format!("{RESULT}; echo no way >&2; exit 3"),
            "sleep 600",
        );
        assert_eq!(result.unwrap_err().to_string(), "dialer: exit status: 3: no way");
    }

    #[test]
    fn a_listener_that_ends_ends_the_test() {
        let (result, _) = with_scripts(Kind::Transport, "sleep 600", "exit 1");
        assert!(matches!(result, Err(ContractError::Listener(_))), "{result:?}");
    }
}
