//! The peerstore as a service: it writes what has changed, now and then and at the end.

use super::DiskPeerstore;
use sinew_core::{Host, Registrar, Service, ServiceConfig};
use sinew_runtime::Flusher;
use std::time::Duration;

/// How often changes are written: what a crash may lose.
const EVERY: Duration = Duration::from_secs(10);

impl ServiceConfig for DiskPeerstore {
    type Handle = Self;

    fn build(self, _: Host, _: &mut Registrar) -> (Self, Box<dyn Service>) {
        let store = self.clone();
        // What was not written is tried again the next time, and when the last clone is dropped.
        let flusher = Flusher::new("peerstore", EVERY, move || store.flush().map(drop));
        (self, Box::new(flusher))
    }
}
