//! The suite for secure upgrades: [`sinew_core::SecureUpgrade`].

mod channel;
mod handshake;
mod hostile;
mod pair;

use std::{fmt, sync::Arc};

use sinew_core::SecureUpgrade;
use sinew_identity::Keypair;

use crate::fault::{Breach, Run, assert_none};

/// Makes the upgrade of a node with the given key.
type Make = Box<dyn Fn(Keypair) -> Arc<dyn SecureUpgrade> + Send + Sync>;

/// The secure upgrade under test.
pub struct Subject {
    make: Make,
    encrypts: bool,
}

impl Subject {
    /// An upgrade that encrypts and authenticates all bytes, as every one that is meant for networks does.
    pub fn new<U: SecureUpgrade>(make: impl Fn(Keypair) -> U + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(move |key| Arc::new(make(key))),
            encrypts: true,
        }
    }

    /// An upgrade for tests that only tells who is there: nothing is asked of it against those who change or read
    /// bytes.
    pub fn insecure<U: SecureUpgrade>(make: impl Fn(Keypair) -> U + Send + Sync + 'static) -> Self {
        Self {
            encrypts: false,
            ..Self::new(make)
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("encrypts", &self.encrypts)
            .finish_non_exhaustive()
    }
}

/// Checks everything.
///
/// # Panics
/// With every rule that is broken.
pub async fn check(subject: &Subject) {
    assert_none(&breaches(subject).await);
}

/// Checks everything and returns what is wrong.
pub async fn breaches(subject: &Subject) -> Vec<Breach> {
    let mut run = Run::default();
    handshake::check_all(&mut run, subject).await;
    channel::check_all(&mut run, subject).await;
    hostile::check_all(&mut run, subject).await;
    run.breaches()
}
