//! Resource scopes: who may use how much, and the receipts that give it back.

use sinew_machine::{Blame, Culpable};
use std::{fmt, sync::Arc};

/// What a scope counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// Bytes of memory that a peer can make us hold.
    Memory,
    /// Connections, pending or established.
    Connections,
    /// Streams.
    Streams,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "bytes of memory",
            Self::Connections => "connections",
            Self::Streams => "streams",
        })
    }
}

/// A place where resources are charged. Synchronous and quick: it is asked on the hot path.
pub trait ResourceScope: Send + Sync + fmt::Debug + 'static {
    /// Charges `amount`, or says which limit forbids it. Prefer [`Reservation::new`], which gives back.
    ///
    /// # Errors
    /// [`LimitExceeded`] with the scope, what was used and what is allowed; nothing is charged then.
    fn charge(&self, resource: Resource, amount: u64) -> Result<(), LimitExceeded>;

    /// Gives back what [`ResourceScope::charge`] took.
    fn release(&self, resource: Resource, amount: u64);
}

/// A scope without limits, for tests and for parts that are used alone.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unlimited;

impl ResourceScope for Unlimited {
    fn charge(&self, _: Resource, _: u64) -> Result<(), LimitExceeded> {
        Ok(())
    }

    fn release(&self, _: Resource, _: u64) {}
}

/// Something that was charged to a scope; dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropping a reservation gives it back"]
pub struct Reservation {
    scope: Arc<dyn ResourceScope>,
    resource: Resource,
    amount: u64,
}

impl Reservation {
    /// Charges `amount` of `resource` to `scope`.
    ///
    /// # Errors
    /// [`LimitExceeded`] when the scope has no more to give.
    pub fn new(
        scope: Arc<dyn ResourceScope>,
        resource: Resource,
        amount: u64,
    ) -> Result<Self, LimitExceeded> {
        scope.charge(resource, amount)?;
        Ok(Self {
            scope,
            resource,
            amount,
        })
    }

    /// What is reserved now.
    #[must_use]
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Grows or shrinks the reservation to `amount`.
    ///
    /// # Errors
    /// [`LimitExceeded`] when it cannot grow; it then stays as it was.
    pub fn resize(&mut self, amount: u64) -> Result<(), LimitExceeded> {
        if amount > self.amount {
            self.scope.charge(self.resource, amount - self.amount)?;
        } else {
            self.scope.release(self.resource, self.amount - amount);
        }
        self.amount = amount;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.scope.release(self.resource, self.amount);
    }
}

/// A limit of this node that forbade something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("limit of {scope} reached: {used} of {limit} {resource} used, {asked} more asked")]
#[non_exhaustive]
pub struct LimitExceeded {
    /// The scope whose limit it is, `pending inbound connections of 192.0.2.0/24` for instance.
    pub scope: String,
    /// What was asked for.
    pub resource: Resource,
    /// How much was asked for.
    pub asked: u64,
    /// How much was used before.
    pub used: u64,
    /// How much is allowed.
    pub limit: u64,
}

impl LimitExceeded {
    /// One more `resource` was asked of `scope`, which uses `used` of `limit`.
    #[must_use]
    pub fn one(scope: impl Into<String>, resource: Resource, used: u64, limit: u64) -> Self {
        Self {
            scope: scope.into(),
            resource,
            asked: 1,
            used,
            limit,
        }
    }

    /// `asked` more of `resource` was asked of `scope`, which uses `used` of `limit`.
    #[must_use]
    pub fn new(scope: impl Into<String>, resource: Resource, asked: u64, used: u64, limit: u64) -> Self {
        Self {
            scope: scope.into(),
            resource,
            asked,
            used,
            limit,
        }
    }
}

impl Culpable for LimitExceeded {
    fn blame(&self) -> Blame {
        Blame::Limit
    }
}
