//! The end of a host, in order: listeners, services, streams, connections, tasks.

use crate::{accept, shared::Shared};
use sinew_machine::code;
use sinew_runtime::now;
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
    accept::stop_all(shared);
    shared.stop.send_replace(true);
    // Nothing of a pending connection is worth waiting for.
    shared.accepting.end(Duration::ZERO).await;
    let left = |what: &'static str, tasks: Vec<&'static str>| {
        if !tasks.is_empty() {
            tracing::warn!(
                ?tasks,
                "{what} were still alive at shutdown and have been dropped"
            );
        }
    };
    left("services", shared.services.end(ends - now()).await);
    left("streams", shared.handlers.end(ends - now()).await);
    for entry in shared.table.all() {
        entry.close(code::connection::SHUTDOWN);
    }
    left("connections", shared.connections.end(GOODBYE).await);
    shared.feeds.end();
    shared.bus.end();
}
