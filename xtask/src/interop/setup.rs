//! Building and installing the peers: only what changed, and a peer whose tools are absent is no error here.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use super::{
    InteropError,
    cases::Case,
    peers::{OURS, Peer, Places},
};

/// How much of a failed set-up's output is shown.
const SHOWN_LINES: usize = 15;

/// Why a peer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("{tool} is not installed")]
    NoTool { tool: String },
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{command} cannot be started")]
    Start { command: String, source: io::Error },
    #[error("{command} failed:\n{output}")]
    Failed { command: String, output: String },
}

/// The peers that cannot be used, and why.
pub(crate) type Absent = BTreeMap<String, SetupError>;

/// Sets up every peer of these tests, side by side. One that fails is absent, unless it is required or ours.
pub(crate) fn run_all(
    cases: &[Case<'_>],
    places: &Places,
    required: &[String],
) -> Result<Absent, InteropError> {
    let sides = cases.iter().flat_map(Case::peers);
    let peers: BTreeMap<&str, &Peer> = sides.map(|peer| (peer.id.as_str(), peer)).collect();
    let done = Mutex::new(Absent::new());
    thread::scope(|scope| {
        for (id, peer) in peers {
            let done = &done;
            scope.spawn(move || {
                if let Err(error) = run(peer, places) {
                    let mut absent = done.lock().unwrap_or_else(PoisonError::into_inner);
                    absent.insert(id.to_owned(), error);
                }
            });
        }
    });
    let mut absent = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let fatal = absent
        .keys()
        .find(|id| *id == OURS || required.contains(id))
        .cloned();
    match fatal.and_then(|id| absent.remove_entry(&id)) {
        Some((id, source)) => Err(InteropError::Setup { id, source }),
        None => Ok(absent),
    }
}

/// The peers of these tests whose tools are absent.
pub(super) fn without_tools(cases: &[Case<'_>]) -> Absent {
    let sides = cases.iter().flat_map(Case::peers);
    sides
        .filter_map(|peer| Some((peer.id.clone(), has_tools(peer).err()?)))
        .collect()
}

fn has_tools(peer: &Peer) -> Result<(), SetupError> {
    match peer.needs.iter().find(|tool| !is_installed(tool)) {
        Some(tool) => Err(SetupError::NoTool { tool: tool.clone() }),
        None => Ok(()),
    }
}

/// Sets one peer up, if it is not yet.
pub(crate) fn run(peer: &Peer, places: &Places) -> Result<(), SetupError> {
    has_tools(peer)?;
    let state = state(peer, places)?;
    let stamp = peer.stamp.as_ref().map(|stamp| places.root.join(stamp));
    if stamp
        .as_ref()
        .is_some_and(|stamp| fs::read(stamp).is_ok_and(|old| old == state))
    {
        return Ok(());
    }
    eprintln!("setting up {}", peer.id);
    let started = Instant::now();
    for command in &peer.setup {
        run_command(command, places)?;
    }
    if let Some(stamp) = stamp {
        fs::write(&stamp, state).map_err(|source| SetupError::File { path: stamp, source })?;
    }
    eprintln!("set up {} in {:.1} s", peer.id, started.elapsed().as_secs_f64());
    Ok(())
}

/// What the result of the set-up depends on: its commands and the content of its inputs.
fn state(peer: &Peer, places: &Places) -> Result<Vec<u8>, SetupError> {
    let mut state = peer.setup.concat().join(" ").into_bytes();
    for input in &peer.inputs {
        let path = places.root.join(input);
        let content = fs::read(&path).map_err(|source| SetupError::File { path, source })?;
        state.extend(content);
    }
    Ok(state)
}

fn run_command(command: &[String], places: &Places) -> Result<(), SetupError> {
    let parts: Vec<String> = command.iter().map(|part| places.fill(part)).collect();
    let [program, args @ ..] = parts.as_slice() else {
        return Ok(());
    };
    let mut command = Command::new(program);
    for name in std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| is_of_this_package(name))
    {
        command.env_remove(name);
    }
    let done = command
        .args(args)
        .current_dir(&places.root)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SetupError::Start {
            command: program.clone(),
            source,
        })?;
    if done.status.success() {
        return Ok(());
    }
    let output = [done.stdout, done.stderr].concat();
    Err(SetupError::Failed {
        command: parts.join(" "),
        output: last_lines(&output),
    })
}

/// `cargo run` tells a program about its own package. Build scripts that look at these variables would run again,
/// and all that depends on them be built again, each time the peers are set up in another way.
fn is_of_this_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_program(&folder, tool))
}

fn is_program(folder: &Path, tool: &str) -> bool {
    folder.join(tool).is_file()
        || folder
            .join(format!("{tool}{}", std::env::consts::EXE_SUFFIX))
            .is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{interop::peers, workspace};

    fn peer(needs: &[&str], setup: &[&str]) -> Peer {
        let owned = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
        let peers = peers::load(&Places::new(workspace::root())).unwrap();
        Peer {
            needs: owned(needs),
            setup: vec![owned(setup)],
            inputs: Vec::new(),
            stamp: None,
            ..peers.ours().unwrap().clone()
        }
    }

    #[test]
    fn an_absent_tool_is_named() {
        let error = run(&peer(&["no-such-tool"], &[]), &Places::new(PathBuf::from("."))).unwrap_err();
        assert_eq!(error.to_string(), "no-such-tool is not installed");
    }

    #[test]
    fn a_failed_set_up_shows_its_output() {
        let peer = peer(&[], &["cargo", "no-such-command"]);
        let error = run(&peer, &Places::new(PathBuf::from("."))).unwrap_err();
        assert!(error.to_string().contains("no such command"), "{error}");
    }

    #[test]
    fn only_the_last_lines_are_shown() {
        let output: String = (0..40).map(|line| format!("line {line}\n")).collect();
        let shown = last_lines(output.as_bytes());
        assert!(
            shown.starts_with("line 25\n") && shown.ends_with("line 39"),
            "{shown}"
        );
    }
}
