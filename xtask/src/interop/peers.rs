//! The peers as data (interop/peers.toml), and where everything lies.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{InteropError, rows::Protocol};

/// The id of the peer under test.
pub(super) const OURS: &str = "sinew";

/// One peer program; interop/peers.toml says what the fields mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) needs: Vec<String>,
    pub(crate) setup: Vec<Vec<String>>,
    #[serde(default)]
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) stamp: Option<PathBuf>,
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) key_types: Vec<String>,
    pub(crate) transports: Vec<String>,
    #[serde(default)]
    pub(crate) dial_only: Vec<String>,
    pub(crate) security: Vec<String>,
    pub(crate) muxers: Vec<String>,
    pub(crate) early_muxers: Vec<String>,
    pub(crate) private: bool,
    pub(crate) secure_websocket: String,
    pub(crate) spellings: Vec<String>,
    pub(crate) codes: bool,
    pub(crate) refuses_streams: bool,
    #[serde(default)]
    pub(crate) perf: Vec<String>,
    pub(crate) gossipsub: String,
    #[serde(default)]
    pub(crate) anonymous: Vec<Protocol>,
    pub(crate) test_extension: bool,
    pub(crate) partial: bool,
    pub(crate) agent: String,
    pub(crate) sends_record: bool,
    pub(crate) reads_record: bool,
}

impl Peer {
    /// Whether it is the peer under test.
    pub(crate) fn is_ours(&self) -> bool {
        self.id == OURS
    }

    /// The command that starts its program, without arguments.
    pub(crate) fn program(&self, places: &Places) -> Command {
        let mut parts = self.command.iter().map(|part| places.fill(part));
        // As with every program: a relative path is looked up in the folder that it starts in.
        let mut command = Command::new(places.root.join(parts.next().unwrap_or_default()));
        let environment = self.environment.iter();
        command
            .args(parts)
            .envs(environment.map(|(name, value)| (name, places.fill(value))))
            .current_dir(&places.root);
        command
    }
}

/// All peers, in the order of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peers {
    peer: Vec<Peer>,
}

impl Peers {
    /// All of them.
    pub(crate) fn all(&self) -> &[Peer] {
        &self.peer
    }

    /// Sinew itself.
    pub(crate) fn ours(&self) -> Result<&Peer, InteropError> {
        self.find(OURS)
    }

    /// The peers with these ids; all but ours if none is named.
    pub(crate) fn select(&self, ids: &[String]) -> Result<Vec<&Peer>, InteropError> {
        if ids.is_empty() {
            return Ok(self.peer.iter().filter(|peer| !peer.is_ours()).collect());
        }
        ids.iter().map(|id| self.find(id)).collect()
    }

    fn find(&self, id: &str) -> Result<&Peer, InteropError> {
        self.peer
            .iter()
            .find(|peer| peer.id == id)
            .ok_or_else(|| InteropError::UnknownPeer {
                id: id.to_owned(),
                known: self
                    .peer
                    .iter()
                    .map(|peer| peer.id.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

/// Reads interop/peers.toml.
pub(crate) fn load(places: &Places) -> Result<Peers, InteropError> {
    read_toml(&places.root.join("interop/peers.toml"))
}

/// Reads a TOML file.
pub(super) fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, InteropError> {
    let file = |source| InteropError::File {
        path: path.to_path_buf(),
        source,
    };
    let text = fs::read_to_string(path).map_err(file)?;
    toml::from_str(&text).map_err(|source| InteropError::Toml {
        path: path.to_path_buf(),
        source: Box::new(source),
    })
}

/// The folders that the tests use.
#[derive(Debug)]
pub(crate) struct Places {
    /// The repository.
    pub(crate) root: PathBuf,
    target: PathBuf,
}

impl Places {
    /// With cargo's target folder where cargo has it.
    pub(crate) fn new(root: PathBuf) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        Self {
            target: root.join(target),
            root,
        }
    }

    /// Where everything is that a run leaves.
    pub(crate) fn output(&self) -> PathBuf {
        self.target.join("interop")
    }

    /// Where the logs of failed tests stay.
    pub(crate) fn logs(&self) -> PathBuf {
        self.output().join("logs")
    }

    /// Where the certificates for secure WebSockets lie.
    pub(crate) fn tls(&self) -> PathBuf {
        self.output().join("tls")
    }

    /// A part of a command, with its placeholders replaced.
    pub(crate) fn fill(&self, part: &str) -> String {
        part.replace("{target}", &self.target.to_string_lossy())
            .replace("{tls}", &self.tls().to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_checked_in_file_is_read() {
        let peers = load(&Places::new(workspace::root())).unwrap();
        assert!(peers.ours().is_ok());
        let others: Vec<_> = peers
            .select(&[])
            .unwrap()
            .iter()
            .map(|peer| peer.id.as_str())
            .collect();
        assert_eq!(others, ["go", "rust", "js", "py"]);
    }

    #[test]
    fn an_unknown_peer_is_named() {
        let peers = load(&Places::new(workspace::root())).unwrap();
        let error = peers.select(&["ruby".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no peer is called ruby; interop/peers.toml has sinew, go, rust, js, py"
        );
    }

    #[test]
    fn every_stamp_has_inputs() {
        let peers = load(&Places::new(workspace::root())).unwrap();
        assert!(
            peers
                .peer
                .iter()
                .all(|peer| peer.stamp.is_some() != peer.inputs.is_empty())
        );
    }
}
