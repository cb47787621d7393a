//! What became of one attacking connection, and of all of them.

use crate::report::quantile;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{sleep_until, timeout_at},
};

/// What became of one attacking connection.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Outcome {
    /// It was made, as far as the attack needs it.
    pub(super) made: bool,
    /// How long the target took it; `None` if it did to the end.
    pub(super) cut: Option<Duration>,
    /// Frames, messages or streams that were sent.
    pub(super) sent: u64,
    /// Streams that the target reset, where the attack goes on with another.
    pub(super) resets: u64,
}

impl Outcome {
    /// A connection that was made, and ended by the target if `cut`.
    pub(super) fn of(cut: Option<Duration>, sent: u64) -> Self {
        Self {
            made: true,
            cut,
            sent,
            resets: 0,
        }
    }
}

/// The figures of an attack.
pub(super) fn summary(outcomes: &[Outcome]) -> Value {
    let cuts = outcomes.iter().filter_map(|outcome| outcome.cut);
    let cuts: Vec<f64> = cuts.map(|cut| cut.as_secs_f64() * 1e3).collect();
    json!({
        "tried": outcomes.len(),
        "made": outcomes.iter().filter(|outcome| outcome.made).count(),
        "cut": cuts.len(),
        "sent": outcomes.iter().map(|outcome| outcome.sent).sum::<u64>(),
        "resets": outcomes.iter().map(|outcome| outcome.resets).sum::<u64>(),
        "cut_p50_ms": quantile(&cuts, 0.5),
        "cut_max_ms": quantile(&cuts, 1.0),
    })
}

/// Reads until the target ends the connection, and says how long after `from` that was; `None` if it has not by then.
pub(super) async fn ended<R: AsyncRead + Unpin>(
    io: &mut R,
    from: Instant,
    within: Duration,
) -> Option<Duration> {
    let mut buffer = vec![0; 16 << 10];
    let until = (from + within).into();
    loop {
        match timeout_at(until, io.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return Some(from.elapsed()),
            Ok(Ok(_)) => {}
            Err(_) => return None,
        }
    }
}

/// Waits until `within` has passed since `from`.
pub(super) async fn rest(from: Instant, within: Duration) {
    sleep_until((from + within).into()).await;
}
