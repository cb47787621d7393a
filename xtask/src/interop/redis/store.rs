//! What the server holds: texts and lists, and clients that wait for a list to be filled.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::wire::Reply;

/// A value.
enum Value {
    Text(String),
    List(VecDeque<String>),
}

/// The values, shared by all connections.
#[derive(Default)]
pub(super) struct Store {
    state: Mutex<State>,
    pushed: Condvar,
}

#[derive(Default)]
struct State {
    values: HashMap<String, Value>,
    is_closed: bool,
}

impl State {
    /// Takes the first of a list; a list does not stay empty.
    fn pop(&mut self, key: &str) -> Result<Option<String>, Reply> {
        match self.values.get_mut(key) {
            None => Ok(None),
            Some(Value::Text(_)) => Err(wrong_type()),
            Some(Value::List(list)) => {
                let first = list.pop_front();
                if list.is_empty() {
                    self.values.remove(key);
                }
                Ok(first)
            }
        }
    }
}

fn wrong_type() -> Reply {
    Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".to_owned())
}

impl Store {
    pub(super) fn delete(&self, keys: &[&str]) -> i64 {
        let mut state = self.state();
        let found = keys.iter().filter(|key| state.values.remove(**key).is_some());
        i64::try_from(found.count()).unwrap_or(i64::MAX)
    }

    pub(super) fn set(&self, key: &str, value: &str) -> Reply {
        let value = Value::Text(value.to_owned());
        self.state().values.insert(key.to_owned(), value);
        Reply::Simple("OK")
    }

    pub(super) fn get(&self, key: &str) -> Reply {
        match self.state().values.get(key) {
            None => Reply::NoText,
            Some(Value::Text(text)) => Reply::Text(text.clone()),
            Some(Value::List(_)) => wrong_type(),
        }
    }

    pub(super) fn push(&self, key: &str, values: &[&str]) -> Reply {
        let mut state = self.state();
        let empty = || Value::List(VecDeque::new());
        let Value::List(list) = state.values.entry(key.to_owned()).or_insert_with(empty) else {
            return wrong_type();
        };
        list.extend(values.iter().map(|value| (*value).to_owned()));
        let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
        self.pushed.notify_all();
        Reply::Integer(length)
    }

    pub(super) fn pop(&self, key: &str) -> Reply {
        match self.state().pop(key) {
            Ok(first) => first.map_or(Reply::NoText, Reply::Text),
            Err(error) => error,
        }
    }

    /// The first of these lists that has something, and what; waits for it until the limit, or for ever if that is zero.
    pub(super) fn wait_pop(&self, keys: &[&str], limit: Duration) -> Reply {
        let deadline = (!limit.is_zero()).then(|| Instant::now() + limit);
        let mut state = self.state();
        loop {
            for key in keys {
                match state.pop(key) {
                    Ok(Some(first)) => {
                        return Reply::Array(vec![Reply::Text((*key).to_owned()), Reply::Text(first)]);
                    }
                    Ok(None) => {}
                    Err(error) => return error,
                }
            }
            let left = deadline.map_or(Duration::MAX, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if left.is_zero() || state.is_closed {
                return Reply::NoArray;
            }
            // So long at most, since a clock cannot count to the end of time.
            let left = left.min(Duration::from_secs(3600));
            state = self
                .pushed
                .wait_timeout(state, left)
                .map_or_else(|error| error.into_inner().0, |(state, _)| state);
        }
    }

    /// Wakes everybody who waits, for good.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.pushed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
