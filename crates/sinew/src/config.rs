//! A node described in a TOML file.
//!
//! Every key is optional; a key that is not known is an error. Paths are taken from the folder of the file.
//!
//! ```toml
//! listen = ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"]
//! key = "node.key"               # the key file
//! peerstore = "peers.redb"       # keeps what is known of peers
//! metrics = "127.0.0.1:9090"     # answers GET /metrics there
//!
//! [limits]
//! base = "auto"                  # or "default": what the keys below change
//! inbound_connections = 500      # any field of `Limits`
//! dry_run = true
//! ```
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sinew::{Keypair, Node, config::Config};
//! use std::path::Path;
//!
//! let config = Config::parse("listen = ['/ip4/127.0.0.1/tcp/0']\nlimits.base = 'default'", Path::new("."))?;
//! assert_eq!(config.limits(), sinew::Limits::default());
//! let builder = Node::builder(Keypair::generate()).configure(&config)?;
//! # Ok(()) }
//! ```

use crate::{Limits, Multiaddr, NodeBuilder};
use serde::Deserialize;
use sinew_core::{Blame, Culpable};
use std::{
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
};
use toml::{Table, Value};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The most entries of a list.
const MAX_ENTRIES: usize = 64;

/// A node as a file describes it; the default is an empty file.
#[derive(Clone, Default, PartialEq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens.
    pub listen: Vec<Multiaddr>,
    /// Its key file.
    pub key: Option<PathBuf>,
    /// The file of its peerstore.
    pub peerstore: Option<PathBuf>,
    /// Where it answers with its metrics.
    pub metrics: Option<SocketAddr>,
    /// Its limits; without them those that suit the machine.
    pub limits: Option<Limits>,
}

/// The file as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Written {
    listen: Vec<String>,
    key: Option<PathBuf>,
    peerstore: Option<PathBuf>,
    metrics: Option<SocketAddr>,
    limits: Table,
}

/// Why a file describes no node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is no TOML, has a key that is not known, or a value of another kind.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// An address is none.
    #[error("listen: {text:?}: {source}")]
    Addr {
        /// What stands there.
        text: String,
        /// Why.
        #[source]
        source: crate::AddrError,
    },
    /// A list is longer than anything useful.
    #[error("{0}: more than {MAX_ENTRIES} entries")]
    TooMany(&'static str),
    /// A limit that does not exist.
    #[error("limits: there is no limit {0:?}; the fields of `Limits` are the limits")]
    NoSuchLimit(String),
    /// Not a thing to start from.
    #[error("limits.base: {0} is neither \"auto\" nor \"default\"")]
    Base(Value),
    /// A limit of another kind or range.
    #[error("limits: {0}")]
    Limit(#[source] toml::de::Error),
}

impl Culpable for ConfigError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

/// Why a described node was not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigureError {
    /// Its peerstore cannot be opened.
    #[error("peerstore: {0}")]
    Peerstore(#[from] crate::DiskError),
    /// Its metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] crate::metrics::ServeError),
}

impl Config {
    /// Reads a file of at most 64 KiB.
    ///
    /// # Errors
    /// [`ConfigError`], with the line where the text is wrong.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = read_bounded(path).map_err(|source| ConfigError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a text; paths in it are taken from `folder`.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        let written: Written = toml::from_str(text)?;
        if written.listen.len() > MAX_ENTRIES {
            return Err(ConfigError::TooMany("listen"));
        }
        let addr =
            |text: String| sinew_addr::parse(&text).map_err(|source| ConfigError::Addr { text, source });
        let from_folder = |path: PathBuf| folder.join(path);
        Ok(Self {
            listen: written.listen.into_iter().map(addr).collect::<Result<_, _>>()?,
            key: written.key.map(from_folder),
            peerstore: written.peerstore.map(from_folder),
            metrics: written.metrics,
            limits: limits(written.limits)?,
        })
    }

    /// The limits: those of the file, else what suits the machine.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits.unwrap_or_else(Limits::auto)
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        let problem = format!("longer than {MAX_FILE} bytes, which no description of a node is");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(text)
}

/// The limits of a table: its base, with what it changes. `None` where it says nothing.
fn limits(mut given: Table) -> Result<Option<Limits>, ConfigError> {
    let base = match given.remove("base") {
        None if given.is_empty() => return Ok(None),
        None => Limits::auto(),
        Some(Value::String(name)) if name == "auto" => Limits::auto(),
        Some(Value::String(name)) if name == "default" => Limits::default(),
        Some(other) => return Err(ConfigError::Base(other)),
    };
    let mut fields = Table::try_from(base).expect("the limits of a machine are numbers of TOML");
    for (name, value) in given {
        match fields.get_mut(&name) {
            Some(field) => *field = value,
            None => return Err(ConfigError::NoSuchLimit(name)),
        }
    }
    fields.try_into().map(Some).map_err(ConfigError::Limit)
}

impl NodeBuilder {
    /// Takes over what `config` describes, but for the key, which the builder was made with. Opens the peerstore, which
    /// blocks, and the socket of the metrics, whose address is [`NodeBuilder::metrics_addr`] from then on.
    ///
    /// # Errors
    /// [`ConfigureError`].
    pub fn configure(self, config: &Config) -> Result<Self, ConfigureError> {
        let mut builder = self.limits(config.limits());
        if let Some(path) = &config.peerstore {
            builder = builder.peerstore_at(path)?;
        }
        if let Some(addr) = config.metrics {
            builder = builder.metrics_at(addr)?;
        }
        Ok(config.listen.iter().cloned().fold(builder, Self::listen_on))
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError};
    use crate::Limits;
    use std::path::Path;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/etc/sinew"))
    }

    #[test]
    fn a_whole_description_is_read() {
        let text = "
            listen = ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4001']
            key = 'node.key'
            peerstore = '/var/lib/peers.redb'
            metrics = '127.0.0.1:9090'
            [limits]
            base = 'default'
            inbound_connections = 500
            dry_run = true
        ";
        let config = parse(text).expect("a good file");
        assert_eq!(config.listen.len(), 2);
        assert_eq!(config.key.as_deref(), Some(Path::new("/etc/sinew/node.key")));
        assert_eq!(
            config.peerstore.as_deref(),
            Some(Path::new("/var/lib/peers.redb"))
        );
        assert_eq!(config.metrics, Some(([127, 0, 0, 1], 9090).into()));
        let mut limits = Limits::default();
        limits.inbound_connections = 500;
        limits.dry_run = true;
        assert_eq!(config.limits(), limits);
    }

    #[test]
    fn an_empty_file_is_a_node_with_the_limits_of_its_machine() {
        let config = parse("").expect("nothing is required");
        assert_eq!(config, Config::default());
        assert_eq!(config.limits(), Limits::auto());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("listne = []", "listne"),
            ("listen = ['/ip4/1.2.3/tcp/1']", "/ip4/1.2.3/tcp/1"),
            ("listen = '/ip4/1.2.3.4/tcp/1'", "listen"),
            ("metrics = 'localhost'", "metrics"),
            ("limits.base = 'huge'", "huge"),
            ("limits.no_such = 1", "no_such"),
            ("limits.pending = -1", "pending"),
            ("limits.pending = 'many'", "pending"),
            ("= 1", "line 1"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
        let many = format!("listen = [{}]", "'/ip4/1.2.3.4/tcp/1',".repeat(65));
        assert!(matches!(parse(&many), Err(ConfigError::TooMany("listen"))));
    }
}
