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

/// Checks everything.
///
/// # Panics
/// With every rule that is broken.
pub async fn check(upgrade: Upgrade) {
    assert_none(&breaches(upgrade).await);
}

/// Checks everything and returns what is wrong.
pub async fn breaches(upgrade: Upgrade) -> Vec<Breach> {
    let mut run = Run::default();
    streams::check_all(&mut run, &upgrade).await;
    half_close::check_all(&mut run, &upgrade).await;
    reset::check_all(&mut run, &upgrade).await;
    backlog::check_all(&mut run, &upgrade).await;
    drops::check_all(&mut run, &upgrade).await;
    close::check_all(&mut run, &upgrade).await;
    hostile::check_all(&mut run, &upgrade).await;
    run.breaches()
}
