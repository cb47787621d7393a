//! The service that writes down what has changed, now and then and at the end.

use super::DiskPeerstore;
use futures_util::future::BoxFuture;
use sinew_core::{Host, Registrar, Service, ServiceConfig, ServiceContext, ServiceError};
use sinew_runtime::sleep;
use std::time::Duration;

/// How often changes are written: what a crash may lose.
const EVERY: Duration = Duration::from_secs(10);

impl ServiceConfig for DiskPeerstore {
    type Handle = Self;

    fn build(self, _: Host, _: &mut Registrar) -> (Self, Box<dyn Service>) {
        (self.clone(), Box::new(Writer(self)))
    }
}

struct Writer(DiskPeerstore);

impl Service for Writer {
    fn name(&self) -> &'static str {
        "peerstore"
    }

    fn run(self: Box<Self>, mut context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        Box::pin(async move {
            loop {
                let ends = tokio::select! {
                    () = sleep(EVERY) => false,
                    () = context.shutdown.requested() => true,
                };
                write(&self.0).await;
                if ends {
                    return Ok(());
                }
            }
        })
    }
}

/// Writes on a thread that may block. What was not written is tried again the next time.
async fn write(store: &DiskPeerstore) {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || store.flush()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the peerstore was not written"),
        // The runtime is going away; dropping the store writes once more.
        Err(_) => {}
    }
}
