//! Waking late enough for others to have had their turn.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
};

/// Wakes `waker` once what else is ready on this thread has run and the sockets were looked at, or after some sixty turns
/// of others: what they have to say meanwhile is heard with it. At once outside a runtime.
pub fn wake_later(waker: &Waker) {
    // Who yields hands its waker to the runtime, for after the others.
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(waker));
}

#[cfg(test)]
mod tests {
    use super::wake_later;
    use crate::TaskScope;
    use futures_util::task::AtomicWaker;
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Poll,
    };

    const TURNS: usize = 20;

    #[tokio::test]
    async fn who_is_woken_later_comes_after_those_who_are_ready() {
        let (scope, later, turns) = (
            TaskScope::new("test"),
            Arc::new(AtomicWaker::new()),
            Arc::new(AtomicUsize::new(0)),
        );
        let (waker, seen) = (later.clone(), turns.clone());
        scope.spawn("later", async move {
            poll_fn(|cx| {
                waker.register(cx.waker());
                let turns = seen.load(Ordering::Relaxed);
                assert!(turns == 0 || turns == TURNS, "after {turns} turns");
                if turns == 0 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
            seen.fetch_add(1, Ordering::Relaxed);
        });
        let busy = turns.clone();
        scope.spawn("busy", async move {
            poll_fn(|cx| {
                later.take().iter().for_each(wake_later);
                cx.waker().wake_by_ref();
                let over = busy.fetch_add(1, Ordering::Relaxed) + 1 == TURNS;
                if over { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        scope.emptied().await;
        assert_eq!(turns.load(Ordering::Relaxed), TURNS + 1, "it came at all");
    }
}
