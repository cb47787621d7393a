//! A resource scope that counts, to see that everything is given back.

use std::sync::{Mutex, PoisonError};

use sinew_core::{LimitExceeded, Resource, ResourceScope};

use crate::fault::{Check, ensure};

/// Counts what is charged; refuses nothing.
#[derive(Default, Debug)]
pub(crate) struct Counted {
    charged: Mutex<Vec<(Resource, u64)>>,
}

impl Counted {
    /// Everything that was charged has been released.
    pub(crate) fn check_empty(&self) -> Check {
        let charged = self.charged.lock().unwrap_or_else(PoisonError::into_inner);
        let left: Vec<_> = charged.iter().filter(|(_, amount)| *amount != 0).collect();
        ensure!(left.is_empty(), "still charged after the end: {left:?}");
        Ok(())
    }

    fn change(&self, resource: Resource, change: impl FnOnce(u64) -> u64) {
        let mut charged = self.charged.lock().unwrap_or_else(PoisonError::into_inner);
        match charged.iter_mut().find(|(of, _)| *of == resource) {
            Some((_, amount)) => *amount = change(*amount),
            None => charged.push((resource, change(0))),
        }
    }
}

impl ResourceScope for Counted {
    fn charge(&self, resource: Resource, amount: u64) -> Result<(), LimitExceeded> {
        self.change(resource, |charged| charged + amount);
        Ok(())
    }

    fn release(&self, resource: Resource, amount: u64) {
        // More released than charged shows as a huge amount that is left.
        self.change(resource, |charged| charged.wrapping_sub(amount));
    }

    fn note_unread(&self, bytes: u64) -> u64 {
        self.change(Resource::Unread, |_| bytes);
        u64::MAX
    }
}
