//! What happened in this process: kept for the `events` command, which can wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

/// The events, oldest first.
#[derive(Default)]
pub(crate) struct Journal {
    events: Mutex<Vec<(&'static str, Value)>>,
    news: Notify,
}

impl Journal {
    /// Adds an event of this kind.
    pub(crate) fn record(&self, kind: &'static str, mut event: Value) {
        event["kind"] = kind.into();
        self.events().push((kind, event));
        self.news.notify_waiters();
    }

    /// Waits until there are `count` events of this kind that `is_meant` takes, and returns those.
    pub(crate) async fn wait(
        &self,
        kind: &str,
        count: usize,
        is_meant: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            // From here on no event is missed, also between the look and the wait.
            news.as_mut().enable();
            let found: Vec<Value> = self
                .events()
                .iter()
                .filter(|(of, event)| *of == kind && is_meant(event))
                .map(|(_, event)| event.clone())
                .collect();
            if found.len() >= count {
                return found;
            }
            news.await;
        }
    }

    fn events(&self) -> MutexGuard<'_, Vec<(&'static str, Value)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
