//! The windows of both directions of a connection, and the memory that their growth takes.

use std::{sync::Arc, time::Duration};

use sinew_core::{Instant, LimitExceeded, Reservation, Resource, ResourceScope};
use sinew_runtime::now;

use super::window::Window;
use crate::Config;

/// The windows of both directions. What they grow by is reserved before it is used, as much of it as is to be had: how many
/// bytes lie unread is quinn's secret, and what the remote was granted is what it can make us hold.
pub(crate) struct Windows {
    pub(crate) receive: Window,
    pub(crate) send: Window,
    /// Credit from when the receive window was larger: it is still the remote's, and comes back with what is read.
    debt: u64,
    /// Bytes read and written when the windows were last looked at.
    seen: (u64, u64),
    scope: Arc<dyn ResourceScope>,
    reserved: Option<Reservation>,
    /// The connection ends: nothing grows any more.
    over: bool,
}

impl Windows {
    pub(crate) fn new(config: &Config, scope: Arc<dyn ResourceScope>) -> Self {
        let window = |first: u32, max: u32| Window::new(first.into(), max.into(), now());
        Self {
            receive: window(config.connection_window, config.max_connection_window),
            send: window(config.send_window, config.max_send_window),
            debt: 0,
            seen: (0, 0),
            scope,
            reserved: None,
            over: false,
        }
    }

    /// So many bytes were read and written since the beginning: gives both windows the size that fits. Only who has to wait
    /// for room lets the send window grow.
    pub(crate) fn fit(&mut self, now: Instant, (read, written): (u64, u64), rtt: Duration) {
        let read_now = read.saturating_sub(self.seen.0);
        let written_now = written.saturating_sub(self.seen.1);
        self.seen = (read.max(self.seen.0), written.max(self.seen.1));
        let send = self.send.used(now, written_now, rtt).min(self.send.size());
        self.send.set(send);
        let (before, wanted) = (self.receive.size(), self.receive.used(now, read_now, rtt));
        self.debt = self.debt.saturating_sub(read_now);
        let missing = self.reserve(wanted.max(before) + self.debt, send);
        let size = wanted.min(before).max(wanted.saturating_sub(missing));
        self.debt += before.saturating_sub(size);
        self.receive.set(size);
    }

    /// Lets the send window grow to twice what the network takes. `false` if it does not.
    pub(crate) fn grow_send(&mut self, network: u64) -> bool {
        let (before, wanted) = (self.send.size(), self.send.max().min(2 * network));
        if wanted <= before {
            return false;
        }
        let missing = self.reserve(self.receive.size() + self.debt, wanted);
        self.send.set(wanted.saturating_sub(missing).max(before));
        self.send.size() > before
    }

    /// Somebody does not read what fills the receive window: adds as much as quinn lets be read before it tells the remote of
    /// it, twice over. `false` if there is no room.
    pub(crate) fn add_room(&mut self) -> bool {
        let before = self.receive.size();
        let added = self.receive.first().max(before / 4);
        let added = added.min(self.receive.max().saturating_sub(before + self.debt));
        let missing = self.reserve(before + added + self.debt, self.send.size());
        self.receive.set(before + added.saturating_sub(missing));
        self.receive.size() > before
    }

    /// Whether one of them is larger than on a new connection.
    pub(crate) fn are_grown(&self) -> bool {
        self.receive.is_grown() || self.send.is_grown()
    }

    /// The connection ends.
    pub(crate) fn release(&mut self) {
        self.reserved = None;
        self.over = true;
    }

    /// Reserves what windows of these sizes need beyond the first ones, or what there is of it. Says how much is missing.
    fn reserve(&mut self, receive: u64, send: u64) -> u64 {
        let growth = (receive + send).saturating_sub(self.receive.first() + self.send.first());
        if self.over {
            return growth;
        }
        if let Err(refused) = self.resize(growth) {
            // What the scope that refuses still has; another scope, or somebody at the same time, may refuse that as well.
            let left = refused.limit.saturating_sub(refused.used);
            let _ = self.resize(growth.min(self.reserved() + left));
        }
        growth.saturating_sub(self.reserved())
    }

    fn reserved(&self) -> u64 {
        self.reserved.as_ref().map_or(0, Reservation::amount)
    }

    fn resize(&mut self, growth: u64) -> Result<(), LimitExceeded> {
        match &mut self.reserved {
            Some(reserved) => reserved.resize(growth),
            None => {
                self.reserved = Some(Reservation::new(self.scope.clone(), Resource::Memory, growth)?);
                Ok(())
            }
        }
    }
}
