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
    pub scope: LimitScope,
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
    /// `asked` more of `resource` was asked of `scope`, which uses `used` of `limit`.
    #[must_use]
    pub fn new(
        scope: impl fmt::Display + Send + Sync + 'static,
        resource: Resource,
        asked: u64,
        used: u64,
        limit: u64,
    ) -> Self {
        Self {
            scope: LimitScope(Arc::new(scope)),
            resource,
            asked,
            used,
            limit,
        }
    }
}

/// The name of a scope. It is written when somebody reads it: under attack, nobody reads most refusals.
#[derive(Clone)]
pub struct LimitScope(Arc<dyn fmt::Display + Send + Sync>);

impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl PartialEq for LimitScope {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for LimitScope {}

impl Culpable for LimitExceeded {
    fn blame(&self) -> Blame {
        Blame::Limit
    }
}

#[cfg(test)]
mod tests {
    use super::{LimitExceeded, Resource};
    use std::{
        fmt,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    struct Counted(Arc<AtomicUsize>);

    impl fmt::Display for Counted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fetch_add(1, Ordering::Relaxed);
            f.write_str("streams of a test")
        }
    }

    #[test]
    fn a_refusal_writes_no_name_that_nobody_reads() {
        let written = Arc::new(AtomicUsize::new(0));
        let refused = LimitExceeded::new(Counted(written.clone()), Resource::Streams, 1, 2, 2);
        let passed_on = refused.clone();
        assert_eq!(written.load(Ordering::Relaxed), 0);
        assert_eq!(
            passed_on.to_string(),
            "limit of streams of a test reached: 2 of 2 streams used, 1 more asked"
        );
        assert_eq!(written.load(Ordering::Relaxed), 1);
        assert_eq!(
            refused,
            LimitExceeded::new("streams of a test", Resource::Streams, 1, 2, 2)
        );
        assert_ne!(refused, LimitExceeded::new("others", Resource::Streams, 1, 2, 2));
    }
}
