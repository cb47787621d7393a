//! The suite for transports: [`sinew_core::Transport`] and the raw connections it yields.
//!
//! A transport with security and streams of its own passes the suite of muxers instead.

mod bytes;
mod dialling;
mod pair;

use std::{fmt, sync::Arc};

use sinew_core::{Multiaddr, Transport};

use crate::fault::{Breach, Run, assert_none};

/// The transport under test.
pub struct Subject {
    transport: Arc<dyn Transport>,
    listen: Multiaddr,
    foreign: Vec<Multiaddr>,
}

impl Subject {
    /// A transport, an address that it can listen on any number of times (with port 0, or what stands for it), and
    /// addresses that it must refuse.
    pub fn new(transport: impl Transport, listen: Multiaddr, foreign: Vec<Multiaddr>) -> Self {
        Self {
            transport: Arc::new(transport),
            listen,
            foreign,
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("transport", &self.transport)
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
    bytes::check_all(&mut run, subject).await;
    dialling::check_all(&mut run, subject).await;
    run.breaches()
}
