//! The service: runs a machine, tells it which topics are followed, and has it say goodbye.

use crate::{Topic, Topics};
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{Service, ServiceContext, ServiceError};
use sinew_machine::PeerMachine;
use sinew_runtime::{Caller, timeout};
use std::{collections::BTreeSet, convert::Infallible, future, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long peers have to take what waits for them when the node ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// Runs the driver of a machine, and tells that of the topics that are followed whenever they change. All subscriptions end with
/// it, also if it never runs.
pub struct Following<M: PeerMachine> {
    driver: Box<dyn Service>,
    topics: End,
    caller: Caller<M>,
    follow: fn(BTreeSet<Topic>) -> M::Command,
    leave: M::Command,
}

impl<M: PeerMachine> Following<M> {
    /// `caller` calls the machine that `driver` runs, with `follow` for the topics that are followed from then on, and at the end
    /// with `leave`, which is answered when peers were told that there are none any more.
    pub fn new(
        driver: impl Service,
        topics: Arc<Topics>,
        caller: Caller<M>,
        follow: fn(BTreeSet<Topic>) -> M::Command,
        leave: M::Command,
    ) -> Self {
        Self {
            driver: Box::new(driver),
            topics: End(topics),
            caller,
            follow,
            leave,
        }
    }
}

impl<M: PeerMachine> Service for Following<M> {
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn run(self: Box<Self>, mut context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        let Self {
            driver,
            topics,
            caller,
            follow,
            leave,
        } = *self;
        // The driver ends once goodbye is said.
        let (stop, stopped) = watch::channel(false);
        let mut shutdown = std::mem::replace(&mut context.shutdown, stopped.into());
        async move {
            let tell = async { while caller.call(follow(topics.0.next().await)).await.is_ok() {} };
            let serve = async {
                tokio::select! {
                    () = tell => {}
                    () = shutdown.requested() => {
                        // Who takes nothing is not waited for.
                        let _ = timeout(GOODBYE, caller.call(leave)).await;
                    }
                }
                stop.send_replace(true);
                future::pending::<Infallible>().await
            };
            tokio::select! {
                outcome = driver.run(context) => outcome,
                never = serve => match never {},
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
