//! Networks of this machine, made and removed here: one a node, and one in the middle with a bridge between them. In each the
//! host has its node's name, and all nodes' names lead to their addresses.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// In the middle; those of nodes are called like this with their number.
const MIDDLE: &str = "sinew-gossipsub";

/// Makes the names known and gives the host its own, both for the program alone, and becomes the program.
const ENTER: &str =
    r#"mount --bind "$0" /etc/hosts && echo "$1" > /proc/sys/kernel/hostname && shift && exec "$@""#;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("`ip` cannot be started, or read from")]
    Ip(#[source] io::Error),
    #[error("ip: {0}")]
    Refused(String),
    #[error("the names of the hosts cannot be written")]
    Names(#[source] io::Error),
}

/// Why no networks can be made here, if so.
pub(super) fn lacks() -> Option<String> {
    if !is_root() {
        return Some("networks of their own need root".to_owned());
    }
    let is_there = |tool: &&str| Command::new(tool).arg("-V").output().is_ok();
    let missing = ["ip", "unshare"].into_iter().find(|tool| !is_there(tool));
    missing.map(|tool| format!("{tool} is not installed"))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// The networks of this many nodes, as long as it is kept.
pub(super) struct Network {
    nodes: usize,
    hosts: PathBuf,
}

impl Network {
    /// Makes them; `folder` gets the file of names. What a run that was cut short has left is removed before.
    pub(super) fn lay(nodes: usize, folder: &Path) -> Result<Self, NetworkError> {
        let hosts = folder.join("hosts");
        fs::write(&hosts, names(nodes)).map_err(NetworkError::Names)?;
        let network = Self { nodes, hosts };
        network.remove();
        let all = network.all();
        batch(
            &[],
            &all.fold(String::new(), |text, name| text + &format!("netns add {name}\n")),
        )?;
        batch(&["-n", MIDDLE], &middle(nodes))?;
        for number in 0..nodes {
            let lines = format!(
                "addr add {}/16 dev eth0\nlink set eth0 up\nlink set lo up\n",
                ip(number)
            );
            batch(&["-n", &name(number)], &lines)?;
        }
        Ok(network)
    }

    fn all(&self) -> impl Iterator<Item = String> {
        (0..self.nodes).map(name).chain([MIDDLE.to_owned()])
    }

    /// The program as it is started on the host of this number.
    pub(super) fn command(&self, number: usize, program: &Command) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &name(number)]);
        command.args(["unshare", "--uts", "--mount", "sh", "-c", ENTER]);
        command.arg(&self.hosts).arg(format!("node{number}"));
        command.arg(program.get_program()).args(program.get_args());
        command.envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        command
    }

    fn remove(&self) {
        for name in self.all() {
            // There is none of this name, which is what was wanted.
            let _ = Command::new("ip").args(["netns", "del", &name]).output();
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.remove();
    }
}

fn name(number: usize) -> String {
    format!("{MIDDLE}-{number}")
}

fn ip(number: usize) -> String {
    let last = number + 1;
    format!("10.90.{}.{}", last / 256, last % 256)
}

fn names(nodes: usize) -> String {
    let line = |number| format!("{} node{number}\n", ip(number));
    "127.0.0.1 localhost\n".to_owned() + &(0..nodes).map(line).collect::<String>()
}

/// A bridge, and a cable from it into each node's network.
fn middle(nodes: usize) -> String {
    let mut lines = "link add bridge type bridge\nlink set bridge up\n".to_owned();
    for number in 0..nodes {
        let name = name(number);
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "link add to{number} type veth peer name eth0 netns {name}");
        let _ = writeln!(lines, "link set to{number} master bridge up");
    }
    lines
}

/// Has `ip` do these lines.
fn batch(args: &[&str], lines: &str) -> Result<(), NetworkError> {
    let mut command = Command::new("ip");
    command.args(args).args(["-batch", "-"]);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(NetworkError::Ip)?;
    if let Some(mut stdin) = child.stdin.take() {
        io::Write::write_all(&mut stdin, lines.as_bytes()).map_err(NetworkError::Ip)?;
    }
    let output = child.wait_with_output().map_err(NetworkError::Ip)?;
    if output.status.success() {
        return Ok(());
    }
    Err(NetworkError::Refused(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_a_name_and_an_address() {
        let names = names(300);
        assert!(names.contains("\n10.90.0.1 node0\n"), "{names}");
        assert!(names.contains("\n10.90.1.0 node255\n"), "{names}");
    }

    #[test]
    fn a_program_starts_on_a_host_of_its_own() {
        if lacks().is_some() {
            return;
        }
        let _alone = super::super::RUNNING.lock().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let network = Network::lay(2, folder.path()).unwrap();
        let mut program = Command::new("sh");
        program.args([
            "-c",
            "uname -n; getent hosts node0; cat /sys/class/net/eth0/operstate",
        ]);
        let output = network.command(1, &program).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = said.lines().collect();
        assert!(
            matches!(lines[..], ["node1", name, "up"] if name.starts_with("10.90.0.1")),
            "{output:?}"
        );
        drop(network);
        let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&left.stdout).contains(MIDDLE), "removed");
    }
}
