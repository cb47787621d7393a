//! Two networks of this machine, made and removed here, and the link between them.

use std::{fs, net::Ipv4Addr, path::Path as File, process::Command, thread::Scope, time::Duration};

use serde::{Deserialize, Serialize};

use super::paths::Path;
use crate::bench::{
    pair::Place,
    program::{Program, RunError},
    programs,
};

/// The server's network and the client's; those of a run that was cut short are removed before new ones are made.
const NETWORKS: [&str; 2] = ["sinew-far", "sinew-near"];

/// The device of each, which the link makes.
const DEVICES: [&str; 2] = ["sinew-far0", "sinew-near0"];

const ADDRS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 89, 0, 1), Ipv4Addr::new(10, 89, 0, 2)];

/// Bytes of a packet, as on most paths.
const MTU: &str = "1500";

/// Packets that the system keeps for the link if that is not there at once: more than a window of the path, since a sender may let
/// one go at once, and what the system drops here the link never sees.
const WAITING: &str = "20000";

/// The buffers of TCP: for receiving those of a system that changed nothing, for sending as large ones, because of the usual 4 MiB
/// no long path is full. Half of a receive buffer is window, and that is 16 MiB: as much as yamux allows itself.
pub(super) const BUFFERS: [(&str, &str); 2] = [
    ("net.ipv4.tcp_rmem", "4096 131072 33554432"),
    ("net.ipv4.tcp_wmem", "4096 65536 33554432"),
];

/// How long the link may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What the link has done in one direction.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// Packets.
    pub(super) carried: u64,
    pub(super) bytes: u64,
    /// At random, as the path asks for.
    pub(super) lost: u64,
    /// By a full queue.
    pub(super) dropped: u64,
    /// More than a millisecond behind their time.
    pub(super) late: u64,
}

/// Both networks, as long as this is kept.
pub(super) struct Network {
    link: Program,
    _removed: Removed,
}

/// Removes both networks when it is dropped.
struct Removed;

impl Drop for Removed {
    fn drop(&mut self) {
        for network in NETWORKS {
            // There is none of this name, which is what was wanted.
            let _ = Command::new("ip").args(["netns", "del", network]).output();
        }
    }
}

/// Whether this system has what the path asks for.
pub(super) fn can_be(path: &Path) -> bool {
    let allowed = system("tcp_allowed_congestion_control");
    path.congestion
        .is_none_or(|name| allowed.split_whitespace().any(|allowed| allowed == name))
}

/// How TCP looks for the rate on this system, where nobody says anything else.
pub(super) fn congestion() -> String {
    system("tcp_congestion_control")
}

fn system(name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
    text.map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

impl Network {
    /// Makes the networks and puts the link between them.
    pub(super) fn lay<'scope>(
        scope: &'scope Scope<'scope, '_>,
        path: &Path,
        seed: usize,
        logs: &File,
    ) -> Result<Self, RunError> {
        drop(Removed);
        let removed = Removed;
        for network in NETWORKS {
            ip(&["netns", "add", network])?;
        }
        fs::create_dir_all(logs).map_err(|source| RunError::Start { role: "log", source })?;
        let link = Program::start(scope, "link", link(path, seed), &logs.join("link.log"))?;
        link.line::<bool>("ready", ANSWER)?;
        for side in 0..2 {
            connect(side, path)?;
        }
        Ok(Self {
            link,
            _removed: removed,
        })
    }

    /// Where the programs of a pair are.
    pub(super) fn place(&self) -> Place {
        Place {
            networks: Some(NETWORKS),
            ip: ADDRS[0],
        }
    }

    /// What the link has done, out of the server's network and out of the client's.
    pub(super) fn carried(&mut self) -> Result<[Carried; 2], RunError> {
        self.link.go_on()?;
        self.link.line("carried", ANSWER)
    }
}

fn link(path: &Path, seed: usize) -> Command {
    let mut command = Command::new(programs::link());
    command.arg("--devices").args(DEVICES);
    let numbers = [
        ("--mbit", path.mbit),
        ("--delay", path.rtt / 2),
        ("--queue", path.holds() >> 10),
        ("--loss", path.loss),
        ("--seed", seed as u64),
    ];
    for (name, number) in numbers {
        command.args([name, &number.to_string()]);
    }
    command
}

/// Moves the device of one side into its network, and makes it the way to the other side.
fn connect(side: usize, path: &Path) -> Result<(), RunError> {
    let (network, device) = (NETWORKS[side], DEVICES[side]);
    let [own, other] = [ADDRS[side], ADDRS[1 - side]].map(|addr| addr.to_string());
    ip(&["link", "set", device, "netns", network])?;
    ip(&["-n", network, "addr", "add", &own, "peer", &other, "dev", device])?;
    ip(&[
        "-n",
        network,
        "link",
        "set",
        device,
        "mtu",
        MTU,
        "txqueuelen",
        WAITING,
        "up",
    ])?;
    let congestion = path
        .congestion
        .map(|name| ("net.ipv4.tcp_congestion_control", name));
    for (name, value) in BUFFERS.into_iter().chain(congestion) {
        let value = format!("{name}={value}");
        ip(&["netns", "exec", network, "sysctl", "-q", "-w", &value])?;
    }
    Ok(())
}

fn ip(args: &[&str]) -> Result<(), RunError> {
    let output = Command::new("ip").args(args).output();
    let output = output.map_err(|source| RunError::Start { role: "ip", source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(RunError::Network {
        command: format!("ip {}", args.join(" ")),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
