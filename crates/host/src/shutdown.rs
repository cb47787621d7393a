//! The end of a host, in order: listeners, services, streams, connections, tasks.

use crate::shared::Shared;
use sinew_machine::code;
use sinew_runtime::{now, timeout};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How long connections may take to say goodbye once `grace` is over.
const GOODBYE: Duration = Duration::from_secs(1);

/// Ends a host; may be called by several at once, and again.
pub(crate) async fn run(shared: &Arc<Shared>, grace: Duration) {
    let ends = now() + grace;
    shared.closing.store(true, Ordering::Release);
    shared.listeners().clear();
    shared.stop.send_replace(true);
    let left = |what: &'static str, tasks: Vec<&'static str>| {
        if !tasks.is_empty() {
            tracing::warn!(?tasks, "{what} were still alive at shutdown and have been dropped");
        }
    };
    left("services", shared.services.end(ends - now()).await);
    left("streams", shared.handlers.end(ends - now()).await);
    for entry in shared.table.all() {
        entry.muxed.close(code::connection::SHUTDOWN);
    }
    // Upgrades and farewells end with the connections; nothing of them is worth waiting for.
    let connections = async { while !shared.table.all().is_empty() { shared.tasks.emptied().await } };
    let _ = timeout(GOODBYE, connections).await;
    shared.tasks.end(Duration::ZERO).await;
    shared.feeds.end();
}
