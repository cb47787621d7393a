//! How many handshakes are held for addresses that are not proved, each until it is done or forgotten.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sinew_runtime::sleep;

use crate::{config::FORGOTTEN, runtime::Tasks};

/// The count.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    count: Arc<AtomicUsize>,
    tasks: Arc<Tasks>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Holding {
    one: Option<One>,
    tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct One(Arc<AtomicUsize>);

impl Held {
    pub(crate) fn new(tasks: Arc<Tasks>) -> Self {
        Self {
            count: Arc::default(),
            tasks,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts one more, until this is dropped and quinn has forgotten the handshake.
    pub(crate) fn hold(&self) -> Holding {
        self.count.fetch_add(1, Ordering::Relaxed);
        Holding {
            one: Some(One(self.count.clone())),
            tasks: self.tasks.clone(),
        }
    }
}

impl Holding {
    /// The remote has answered, which proves its address.
    pub(crate) fn proved(mut self) {
        self.one = None;
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if let Some(one) = self.one.take() {
            self.tasks.spawn("forgotten handshake", async move {
                sleep(FORGOTTEN).await;
                drop(one);
            });
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
