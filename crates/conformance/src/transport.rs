//! The suites for transports: [`sinew_core::Transport`] and the connections it yields.
//!
//! [`check`] is for transports of raw bytes. One with security and streams of its own passes [`check_secure`] and
//! [`crate::muxer::check_transport`] instead.

mod bytes;
mod dialling;
mod pair;
mod secure;

use std::{fmt, sync::Arc};

use sinew_core::{Multiaddr, Transport};

use crate::fault::{Breach, Run, assert_none};

/// The transport under test.
pub struct Subject {
    transport: Arc<dyn Transport>,
    listen: Multiaddr,
    foreign: Vec<Multiaddr>,
    handshake: bool,
}

impl Subject {
    /// A transport, an address that it can listen on any number of times (with port 0, or what stands for it), and
    /// addresses that it must refuse.
    pub fn new(transport: impl Transport, listen: Multiaddr, foreign: Vec<Multiaddr>) -> Self {
        Self {
            transport: Arc::new(transport),
            listen,
            foreign,
            handshake: false,
        }
    }

    /// The transport has a handshake of its own: a dial is done when the listener's end is finished, and not before.
    #[must_use]
    pub fn with_handshake(mut self) -> Self {
        self.handshake = true;
        self
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

/// Checks how a transport with security and streams of its own dials and listens.
///
/// # Panics
/// With every rule that is broken.
pub async fn check_secure(subject: &Subject) {
    let mut run = Run::default();
    secure::check_all(&mut run, subject).await;
    assert_none(&run.breaches());
}

/// Checks everything and returns what is wrong.
pub async fn breaches(subject: &Subject) -> Vec<Breach> {
    let mut run = Run::default();
    bytes::check_all(&mut run, subject).await;
    dialling::check_all(&mut run, subject).await;
    run.breaches()
}
