//! The resolver that hosts use: an expansion, its questions asked side by side.

use std::{io, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream::FuturesUnordered};
use sinew_core::{Multiaddr, ResolveError, Resolved, Resolver};
use sinew_runtime::timeout;

use crate::{Answer, Expansion, Limits, Lookup, Question, System, SystemError, Ticket};

/// How long one look-up may take: three tries of the client, half of what a dial has.
const DEADLINE: Duration = Duration::from_secs(5);

/// Look-ups of one address that are under way at once.
const AT_ONCE: usize = 8;

/// Resolves the names of addresses.
#[derive(Clone, Debug)]
pub struct DnsResolver<L = System> {
    lookup: L,
    limits: Limits,
}

impl DnsResolver {
    /// Asks the name servers of the system.
    ///
    /// # Errors
    /// [`SystemError`] if their configuration cannot be read.
    pub fn from_system() -> Result<Self, SystemError> {
        System::new().map(Self::new)
    }
}

impl<L: Lookup> DnsResolver<L> {
    /// Asks `lookup`.
    pub fn new(lookup: L) -> Self {
        let limits = Limits::default();
        Self { lookup, limits }
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    async fn ask(&self, ticket: Ticket, question: Question) -> (Ticket, io::Result<Answer>) {
        let answer = timeout(DEADLINE, self.lookup.look_up(&question)).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = &answer {
            tracing::debug!(?question, %error, "look-up failed");
        }
        (ticket, answer)
    }
}

#[async_trait]
impl<L: Lookup> Resolver for DnsResolver<L> {
    async fn resolve(&self, addr: &Multiaddr) -> Result<Vec<Resolved>, ResolveError> {
        let mut expansion = Expansion::new(addr, self.limits);
        let mut asked = FuturesUnordered::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some((ticket, question)) = expansion.question()
            {
                asked.push(self.ask(ticket, question));
            }
            match asked.next().await {
                Some((ticket, answer)) => expansion.answer(ticket, answer),
                None => return expansion.finish(),
            }
        }
    }
}
