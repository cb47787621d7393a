//! Resolvers: from names in addresses to addresses of machines.

use async_trait::async_trait;
use multiaddr::Multiaddr;
use sinew_machine::{Blame, Culpable};
use std::{fmt, io};

/// Turns the names in an address into addresses. Used by the host before it dials, never inside a transport.
#[async_trait]
pub trait Resolver: Send + Sync + fmt::Debug + 'static {
    /// Resolves `/dns`, `/dns4`, `/dns6` and `/dnsaddr` in `addr`. An address without names comes back as it is.
    /// The number of results and of look-ups is bounded.
    ///
    /// # Errors
    /// [`ResolveError`] when nothing was found at all; names that failed beside others that did not are left out.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the look-ups.
    async fn resolve(&self, addr: &Multiaddr) -> Result<Vec<Resolved>, ResolveError>;
}

/// An address without names, and the name it was found under.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// The address.
    pub addr: Multiaddr,
    /// The host name it stands for, which secure websockets and the like must check.
    pub name: Option<String>,
}

impl Resolved {
    /// An address and the name it was found under.
    #[must_use]
    pub fn new(addr: Multiaddr, name: Option<String>) -> Self {
        Self { addr, name }
    }
}

/// Why an address was not resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name exists and holds no usable address.
    #[error("{0} has no usable address")]
    NotFound(String),
    /// The look-up failed.
    #[error("look-up of {name} failed: {error}")]
    Lookup {
        /// The name.
        name: String,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Following the names would take more look-ups than are allowed.
    #[error("{0} leads to too many names")]
    TooDeep(String),
    /// The address holds a name, and this node has no resolver.
    #[error("{0} holds a name, and this node has no resolver: switch on the feature `dns`")]
    NoResolver(Multiaddr),
}

impl Culpable for ResolveError {
    fn blame(&self) -> Blame {
        match self {
            Self::NoResolver(_) => Blame::Local,
            _ => Blame::Network,
        }
    }
}
