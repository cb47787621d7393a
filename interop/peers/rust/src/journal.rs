//! What happened on the serving side: kept for the `events` command, which can wait for it.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::sync::Notify;

/// The events of this process, oldest first.
#[derive(Default)]
pub struct Journal {
    events: Mutex<Vec<(&'static str, Value)>>,
    news: Notify,
}

impl Journal {
    /// Adds an event of this kind.
    pub fn record(&self, kind: &'static str, mut event: Value) {
        event["kind"] = kind.into();
        self.events.lock().expect("no holder panics").push((kind, event));
        self.news.notify_waiters();
    }

    /// Waits until there are `count` events of this kind, and returns all of that kind.
    pub async fn wait(&self, kind: &str, count: usize) -> Value {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let found = self.of(kind);
            if found.len() >= count {
                return json!({ "events": found });
            }
            news.await;
        }
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        let events = self.events.lock().expect("no holder panics");
        events
            .iter()
            .filter(|(k, _)| *k == kind)
            .map(|(_, event)| event.clone())
            .collect()
    }
}
