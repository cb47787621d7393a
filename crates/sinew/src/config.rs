//! A node described in a TOML file.
//!
//! Every key is optional; a key that is not known is an error. Paths are taken from the folder of the file. What each
//! key means stands in `docs/configuration.md`.
//!
//! ```toml
//! listen = ["/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/tcp/443/tls/ws"]
//! announce = ["/dns4/node.example.org/tcp/4001"]    # instead of what it listens on
//! no_announce = ["10.0.0.0/8"]   # never told to others
//! key = "node.key"               # the key file
//! psk = "swarm.key"              # of a private network
//! wss = { cert = "fullchain.pem", key = "privkey.pem" }
//! peerstore = "peers.redb"       # keeps what is known of peers
//! metrics = "127.0.0.1:9090"     # answers GET /metrics there
//!
//! [watermarks]
//! low = 600                      # trims to these connections
//! high = 800                     # when there are more than these
//! grace = 20                     # seconds in which a connection is left alone
//!
//! [access]
//! allow = ["203.0.113.7"]        # addresses, subnets and peers
//! deny = ["203.0.113.0/24"]
//! file = "access"                # more of them, a rule a line
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
//! let text = "listen = ['/ip4/127.0.0.1/tcp/0']\nlimits.base = 'default'";
//! let config = Config::parse(text, Path::new("node.toml"))?;
//! assert_eq!(config.limits(), sinew::Limits::default());
//! let builder = Node::builder(Keypair::generate()).configure(&config)?;
//! # Ok(()) }
//! ```

mod configure;
mod error;
mod limits;
#[cfg(test)]
mod tests;
mod written;

pub use configure::{ConfigureError, Files};
pub use error::{ConfigError, Problem};

use crate::{
    Limits, Multiaddr, NoAnnounce, Watermarks,
    access::{Access, Target},
};
use std::{
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// A node as a file describes it; the default is an empty file.
#[derive(Clone, Default, PartialEq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens.
    pub listen: Vec<Multiaddr>,
    /// What it tells others instead of what it listens on.
    pub announce: Vec<Multiaddr>,
    /// What it tells others too.
    pub append_announce: Vec<Multiaddr>,
    /// What it never tells others.
    pub no_announce: Vec<NoAnnounce>,
    /// Its key file.
    pub key: Option<PathBuf>,
    /// The `swarm.key` file of its private network.
    pub psk: Option<PathBuf>,
    /// The certificate that it listens on secure WebSocket addresses with.
    pub wss: Option<WssFiles>,
    /// The file of its peerstore.
    pub peerstore: Option<PathBuf>,
    /// Where it answers with its metrics.
    pub metrics: Option<SocketAddr>,
    /// With how many connections trimming begins and ends.
    pub watermarks: Option<Watermarks>,
    /// Whom it allows and denies.
    pub access: Vec<(Target, Access)>,
    /// The file of an [`AccessList`](crate::access::AccessList), whose rules hold too.
    pub access_file: Option<PathBuf>,
    /// Its limits; without them those that suit the machine.
    pub limits: Option<Limits>,
}

/// A certificate in files.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WssFiles {
    /// The certificate and those that lead from it to a root, in PEM.
    pub cert: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

impl WssFiles {
    /// A certificate and its key.
    #[must_use]
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            cert: cert.into(),
            key: key.into(),
        }
    }
}

impl Config {
    /// Reads a file of at most 64 KiB. Blocks.
    ///
    /// # Errors
    /// [`ConfigError`], with the file, the line and the key.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = read_bounded(path).map_err(|source| ConfigError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads a text as that of `file`: paths in it are taken from its folder, and errors name it.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        written::read(text, file)
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
