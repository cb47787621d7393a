//! The suite for muxers: [`sinew_core::MuxerUpgrade`] and what it yields, and the streams of transports that need none.

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

use crate::{
    fault::{Breach, Run, assert_none},
    transport,
};

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

/// What yields the streams under test.
enum Subject {
    /// A muxer over any bytes.
    Upgrade(Upgrade),
    /// A transport with streams of its own.
    Transport(transport::Subject),
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
    let subject = Subject::Upgrade(upgrade.clone());
    check_streams(&mut run, &subject, flow).await;
    hostile::check_all(&mut run, &upgrade).await;
    run.breaches()
}

/// Checks the streams of a transport that needs no muxer: everything but what happens to bytes below them.
///
/// # Panics
/// With every rule that is broken.
pub async fn check_transport(transport: transport::Subject) {
    let mut run = Run::default();
    check_streams(&mut run, &Subject::Transport(transport), FlowControl::Stream).await;
    assert_none(&run.breaches());
}

/// Checks of a whole stack, from its transport to its streams, what depends on all of its layers, and returns what is
/// wrong: a slow reader beside a fast stream, half-close both ways, a reset in both directions, opening beyond the
/// backlog, a drop at every await, and close during open.
///
/// The connections of `stack` may be those of whole nodes. What a layer has to do by itself its own suite checks.
pub async fn stack_breaches(stack: transport::Subject, flow: FlowControl) -> Vec<Breach> {
    let mut run = Run::default();
    let subject = &Subject::Transport(stack);
    streams::check_slow_reader(&mut run, subject, flow).await;
    half_close::check_both_ways(&mut run, subject).await;
    reset::check_both_ways(&mut run, subject).await;
    backlog::check_beyond(&mut run, subject).await;
    drops::check_every_await(&mut run, subject).await;
    close::check_during_open(&mut run, subject).await;
    run.breaches()
}

async fn check_streams(run: &mut Run, subject: &Subject, flow: FlowControl) {
    streams::check_all(run, subject, flow).await;
    half_close::check_all(run, subject).await;
    reset::check_all(run, subject).await;
    backlog::check_all(run, subject).await;
    drops::check_all(run, subject).await;
    close::check_all(run, subject).await;
}
