//! Timers: sleeping, deadlines, and one that polled code can move.

use crate::clock;
use futures_util::TryFutureExt;
use sinew_machine::Instant;
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits until `deadline`.
pub async fn sleep_until(deadline: Instant) {
    tokio::time::sleep_until(clock::to_tokio(deadline)).await;
}

/// Runs `future` for at most `duration` from now; it is dropped then.
///
/// # Errors
/// [`Elapsed`] when the time is over.
///
/// # Panics
/// Outside a tokio runtime.
pub fn timeout<F: Future>(duration: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    // No `async fn`: it would keep the place of the future twice, as an argument and while it waits for it.
    tokio::time::timeout(duration, future).map_err(|_| Elapsed)
}

/// The time is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl std::error::Error for Elapsed {}

/// A timer for polled code: it is told the next deadline whenever it is polled, and costs nothing until it first
/// has one.
#[derive(Default, Debug)]
pub struct Timer {
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    set_for: Option<Instant>,
}

impl Timer {
    /// A timer without a deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready when `deadline` has come; pending for ever without one. The task is woken at the newest deadline.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.set_for = None;
            return Poll::Pending;
        };
        if self.set_for != Some(deadline) {
            self.set(deadline);
        }
        let sleep = self
            .sleep
            .as_mut()
            .expect("set above, or by the poll that set the deadline");
        ready!(sleep.as_mut().poll(cx));
        self.set_for = None;
        Poll::Ready(())
    }

    fn set(&mut self, deadline: Instant) {
        self.set_for = Some(deadline);
        let at = clock::to_tokio(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, sleep, timeout};
    use crate::now;
    use std::{future::poll_fn, time::Duration};

    #[tokio::test(start_paused = true)]
    async fn a_timer_follows_the_deadline_it_is_given() {
        let (start, mut timer) = (now(), Timer::new());
        let (late, soon) = (start + Duration::from_secs(60), start + Duration::from_secs(5));
        assert!(
            timeout(Duration::from_secs(1), poll_fn(|cx| timer.poll(cx, Some(late))))
                .await
                .is_err()
        );
        assert!(
            timeout(Duration::from_secs(1), poll_fn(|cx| timer.poll(cx, None)))
                .await
                .is_err()
        );
        poll_fn(|cx| timer.poll(cx, Some(soon))).await;
        assert_eq!(now(), soon);
        poll_fn(|cx| timer.poll(cx, Some(start))).await;
        assert_eq!(now(), soon, "a deadline in the past is due at once");
        sleep(Duration::from_millis(1)).await;
        assert!(now() > soon);
    }
}
