//! Waiting for one of the places that all dials of the host share.

use crate::{
    machine::slots::{Slots, Ticket},
    shared::Shared,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The places, and who waits for one.
#[derive(Debug)]
pub(crate) struct DialSlots(Mutex<Slots<oneshot::Sender<()>>>);

impl DialSlots {
    pub(crate) fn new(places: usize) -> Self {
        Self(Mutex::new(Slots::new(places)))
    }

    fn lock(&self) -> MutexGuard<'_, Slots<oneshot::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, or while it is waited for a claim to one; dropping it gives it to the next.
pub(super) struct Slot<'a> {
    slots: &'a DialSlots,
    ticket: Ticket,
}

impl<'a> Slot<'a> {
    /// Waits for a place; `beside` is how many addresses its dial has under way.
    pub(super) async fn take(shared: &'a Shared, beside: usize) -> Self {
        let slots = &shared.parts().dial_slots;
        let (tell, told) = oneshot::channel();
        let (ticket, taken) = slots.lock().enter(beside, || tell);
        let slot = Self { slots, ticket };
        if !taken {
            // The sender is used or waits: it is dropped only with our own claim.
            let _ = told.await;
        }
        slot
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let next = self.slots.lock().leave(self.ticket);
        if let Some(next) = next {
            // One that has just given up gives the place on by itself.
            let _ = next.send(());
        }
    }
}
