//! A service that writes what has gathered, now and then and at the end.

use crate::timeout;
use futures_util::future::BoxFuture;
use sinew_core::{Service, ServiceContext, ServiceError, Shutdown};
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// A service that writes what has gathered, now and then and when the node ends, on a thread that may block.
///
/// What fails is logged, and the service goes on.
pub struct Flusher<F> {
    name: &'static str,
    every: Duration,
    flush: Arc<F>,
}

impl<F, E> Flusher<F>
where
    F: Fn() -> Result<(), E> + Send + Sync + 'static,
    E: Error + Send + 'static,
{
    /// A service of this name that calls `flush` every so often.
    pub fn new(name: &'static str, every: Duration, flush: F) -> Self {
        let flush = Arc::new(flush);
        Self { name, every, flush }
    }

    async fn run_until(&self, mut shutdown: Shutdown) {
        loop {
            let ends = timeout(self.every, shutdown.requested()).await.is_ok();
            let flush = self.flush.clone();
            // Where it does not run, the runtime is going away: whoever owns what has gathered may write it then.
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || flush()).await {
                let error: &dyn Error = &error;
                tracing::warn!(service = self.name, error, "what has gathered was not written");
            }
            if ends {
                return;
            }
        }
    }
}

impl<F, E> Service for Flusher<F>
where
    F: Fn() -> Result<(), E> + Send + Sync + 'static,
    E: Error + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(self: Box<Self>, context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        Box::pin(async move {
            self.run_until(context.shutdown).await;
            Ok(())
        })
    }
}

impl<F> fmt::Debug for Flusher<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flusher")
            .field("name", &self.name)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Flusher;
    use crate::{now, sleep};
    use std::{io, sync::mpsc, time::Duration};
    use tokio::sync::watch;

    const EVERY: Duration = Duration::from_secs(10);

    /// It is called on time however often it fails, and at once when the end is requested.
    #[tokio::test(start_paused = true)]
    async fn now_and_then_and_at_the_end() {
        let (flushed, times) = mpsc::channel();
        let flusher = Flusher::new("test", EVERY, move || {
            flushed.send(()).map_err(io::Error::other)?;
            Err(io::Error::other("the disk is full"))
        });
        let (request, shutdown) = watch::channel(false);
        let begun = now();
        let end = async {
            sleep(EVERY * 5 / 2).await;
            request.send(true).expect("it runs");
        };
        tokio::join!(flusher.run_until(shutdown.into()), end);
        assert_eq!(now() - begun, EVERY * 5 / 2);
        assert_eq!(times.try_iter().count(), 3);
    }
}
