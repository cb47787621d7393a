//! The service: runs a machine, and tells it which topics are followed.

use crate::{Topic, Topics};
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{Service, ServiceContext, ServiceError};
use std::{collections::BTreeSet, sync::Arc};

/// Runs the driver of a machine, and tells that of the topics that are followed whenever they change. All subscriptions end with
/// it, also if it never runs.
pub struct Following<T> {
    driver: Box<dyn Service>,
    topics: End,
    tell: T,
}

impl<T> Following<T> {
    /// `tell` tells the machine, and says whether it still runs.
    pub fn new(driver: impl Service, topics: Arc<Topics>, tell: T) -> Self {
        Self {
            driver: Box::new(driver),
            topics: End(topics),
            tell,
        }
    }
}

impl<T, F> Service for Following<T>
where
    T: Fn(BTreeSet<Topic>) -> F + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn run(self: Box<Self>, context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        let Self { driver, topics, tell } = *self;
        async move {
            let follow = async { while tell(topics.0.next().await).await {} };
            tokio::select! {
                outcome = driver.run(context) => outcome,
                () = follow => Ok(()),
            }
        }
        .boxed()
    }
}

/// Ends all subscriptions with the service.
struct End(Arc<Topics>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}
