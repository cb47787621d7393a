//! The suite for muxers: [`sinew_core::MuxerUpgrade`] and what it yields.

mod backlog;
mod close;
mod drops;
mod half_close;
mod hostile;
mod pair;
mod reset;
mod streams;

use std::sync::Arc;

use sinew_core::MuxerUpgrade;

use crate::fault::{Breach, Run, assert_none};

/// The muxer under test.
type Upgrade = Arc<dyn MuxerUpgrade>;

/// Whom a muxer's wire can tell to wait when nobody reads a stream: what is asked of its slow readers follows from that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowControl {
    /// The writer of that stream (yamux, QUIC): it waits for as long as the reader likes, and no other stream notices.
    Stream,
    /// The whole connection (mplex, whose specification leaves no other choice): other streams may wait, but not for
    /// long. Within ten seconds, after which a remote may take its
    /// connection for stuck, the stream that is not read is reset, both sides learn it, and the others lose no byte.
    Connection,
}

/// Checks everything that a muxer with flow control a stream has to do.
///
/// # Panics
/// With every rule that is broken.
pub async fn check(upgrade: Upgrade) {
    assert_none(&breaches(upgrade).await);
}

/// Checks everything that a muxer with such flow control has to do.
///
/// # Panics
/// With every rule that is broken.
pub async fn check_with(upgrade: Upgrade, flow: FlowControl) {
    assert_none(&breaches_with(upgrade, flow).await);
}

/// Checks everything that a muxer with flow control a stream has to do, and returns what is wrong.
pub async fn breaches(upgrade: Upgrade) -> Vec<Breach> {
    breaches_with(upgrade, FlowControl::Stream).await
}

/// Checks everything that a muxer with such flow control has to do, and returns what is wrong.
pub async fn breaches_with(upgrade: Upgrade, flow: FlowControl) -> Vec<Breach> {
    let mut run = Run::default();
    streams::check_all(&mut run, &upgrade, flow).await;
    half_close::check_all(&mut run, &upgrade).await;
    reset::check_all(&mut run, &upgrade).await;
    backlog::check_all(&mut run, &upgrade).await;
    drops::check_all(&mut run, &upgrade).await;
    close::check_all(&mut run, &upgrade).await;
    hostile::check_all(&mut run, &upgrade).await;
    run.breaches()
}
