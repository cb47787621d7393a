//! Resource scopes: who may use how much, and the receipts that give it back.

use sinew_machine::{Blame, Culpable};
use std::{fmt, sync::Arc};

/// What a scope counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// Bytes that a peer is allowed to make us hold, reserved before it is told so: the growth of receive windows.
    Memory,
    /// Bytes that have arrived and nobody has read.
    Unread,
    /// Connections, pending or established.
    Connections,
    /// Streams.
    Streams,
    /// File descriptors.
    Descriptors,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 5] = [
        Self::Memory,
        Self::Unread,
        Self::Connections,
        Self::Streams,
        Self::Descriptors,
    ];

    /// A short name for metrics and logs, `connections` for instance.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Unread => "unread",
            Self::Connections => "connections",
            Self::Streams => "streams",
            Self::Descriptors => "descriptors",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "bytes of memory",
            Self::Unread => "unread bytes",
            Self::Connections => "connections",
            Self::Streams => "streams",
            Self::Descriptors => "file descriptors",
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

    /// Takes note of how many bytes have arrived on the connection of this scope that nobody has read and that were not
    /// charged as [`Resource::Memory`] before, and answers how many may: its share of what all connections
    /// together may leave unread. What has arrived cannot be refused; a connection over its share is not read from until its streams are, and asks again now and then,
    /// because the share grows when others read. The last note holds: at the end of the connection it is zero.
    fn note_unread(&self, bytes: u64) -> u64;
}

/// A scope without limits, for tests and for parts that are used alone.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unlimited;

impl ResourceScope for Unlimited {
    fn charge(&self, _: Resource, _: u64) -> Result<(), LimitExceeded> {
        Ok(())
    }

    fn release(&self, _: Resource, _: u64) {}

    fn note_unread(&self, _: u64) -> u64 {
        u64::MAX
    }
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
