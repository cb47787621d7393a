//! One address of a dial: what was planned, what became of it, and at which step it failed.

use crate::{Layer, ResolveError, TransportError, UpgradeError};
use multiaddr::Multiaddr;
use sinew_machine::{Blame, Culpable};
use std::{fmt, sync::Arc, time::Duration};

/// What became of one address of a dial. Times are counted from the beginning of the dial.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address, after names were resolved.
    pub addr: Multiaddr,
    /// The address with a name that it was found under, if there was one.
    pub name: Option<Multiaddr>,
    /// Its place in the plan, from 1; none if it did not come into the plan.
    pub rank: Option<usize>,
    /// When the plan had it start, if nothing before it failed early.
    pub planned: Option<Duration>,
    /// When it was started; none if it never was.
    pub started: Option<Duration>,
    /// How long it took from then on; the look-up of a name that failed, too.
    pub took: Duration,
    /// `Ok` for the address that won.
    pub outcome: Result<(), Arc<AttemptError>>,
}

impl Attempt {
    /// An address that has not failed yet, and of which nothing else is known.
    #[must_use]
    pub fn new(addr: Multiaddr) -> Self {
        Self {
            addr,
            name: None,
            rank: None,
            planned: None,
            started: None,
            took: Duration::ZERO,
            outcome: Ok(()),
        }
    }

    /// An address that failed before it was started.
    #[must_use]
    pub fn refused(addr: Multiaddr, error: AttemptError) -> Self {
        let mut attempt = Self::new(addr);
        attempt.outcome = Err(Arc::new(error));
        attempt
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn error(&self) -> Option<&AttemptError> {
        self.outcome.as_ref().err().map(AsRef::as_ref)
    }

    /// Where it failed, if it did.
    #[must_use]
    pub fn failed_at(&self) -> Option<DialStage> {
        self.error().map(AttemptError::stage)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)?;
        if let Some(name) = &self.name {
            write!(f, " (found under {name})")?;
        }
        match self.error() {
            Some(error) => write!(f, ": {error}")?,
            None => f.write_str(": connected")?,
        }
        if self.started.is_some() {
            write!(f, " (after {:?})", self.took)?;
        }
        Ok(())
    }
}

/// The steps of one address of a dial, in the order in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DialStage {
    /// The look-up of its name.
    Name,
    /// Whether it can be dialled at all, and by which transport.
    Address,
    /// The policy on whose word which addresses are dialled.
    Policy,
    /// The connection gater.
    Gater,
    /// What earlier dials have taught, and when its turn comes.
    Plan,
    /// The connection itself.
    Connection(Layer),
}

impl fmt::Display for DialStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Address => f.write_str("address"),
            Self::Policy => f.write_str("policy"),
            Self::Gater => f.write_str("gater"),
            Self::Plan => f.write_str("plan"),
            Self::Connection(layer) => layer.fmt(f),
        }
    }
}

/// Why one address failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// Its name was not resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// No transport of this node dials it.
    #[error("no transport of this node dials such an address")]
    NoTransport,
    /// It is no address that can be dialled: too long, say.
    #[error("not a usable address: {0}")]
    BadAddress(&'static str),
    /// The policy forbids to dial such an address on the word of whoever gave it.
    #[error("refused by the address policy: {reach} {origin}")]
    Forbidden {
        /// What kind of address it is: "a loopback address".
        reach: &'static str,
        /// Whose word it is: "behind a name".
        origin: &'static str,
    },
    /// The connection gater forbids it.
    #[error("refused by the connection gater")]
    Gated,
    /// Nearly all recent dials of its kind came to nothing: the network between swallows them.
    #[error("left out: nearly all recent dials over {0} came to nothing")]
    BlackHole(&'static str),
    /// It failed a short while ago, and its turn comes again after this time.
    #[error("left out for another {0:.1?}: it failed a short while ago")]
    BackedOff(Duration),
    /// It came too far behind in the plan: a dial takes so many addresses and no more.
    #[error("left out: a dial takes {0} addresses, and others came first")]
    Surplus(usize),
    /// The transport did not get through.
    #[error("{0}")]
    Transport(#[source] TransportError),
    /// It connected, and the connection was not completed.
    #[error("{0}")]
    Upgrade(#[source] UpgradeError),
    /// Nothing came of it in time.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
    /// The time of the whole dial was over before its turn came.
    #[error("not started: the time of the dial was over")]
    NotStarted,
    /// Another address was quicker.
    #[error("given up: another address was quicker")]
    Superseded,
}

impl AttemptError {
    /// Where an address failed with this.
    #[must_use]
    pub fn stage(&self) -> DialStage {
        match self {
            Self::Resolve(_) => DialStage::Name,
            Self::NoTransport | Self::BadAddress(_) => DialStage::Address,
            Self::Forbidden { .. } => DialStage::Policy,
            Self::Gated => DialStage::Gater,
            Self::BlackHole(_)
            | Self::BackedOff(_)
            | Self::Surplus(_)
            | Self::NotStarted
            | Self::Superseded => DialStage::Plan,
            Self::Transport(_) | Self::Timeout(_) => DialStage::Connection(Layer::Transport),
            Self::Upgrade(error) => DialStage::Connection(error.layer()),
        }
    }
}

impl Culpable for AttemptError {
    fn blame(&self) -> Blame {
        match self {
            Self::Resolve(error) => error.blame(),
            Self::NoTransport
            | Self::BadAddress(_)
            | Self::Forbidden { .. }
            | Self::Gated
            | Self::Superseded => Blame::Local,
            Self::Transport(error) => error.blame(),
            Self::Upgrade(error) => error.blame(),
            Self::Timeout(_) | Self::BlackHole(_) | Self::BackedOff(_) => Blame::Network,
            Self::Surplus(_) | Self::NotStarted => Blame::Limit,
        }
    }
}
