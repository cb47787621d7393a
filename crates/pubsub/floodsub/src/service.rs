//! The service: the driver, what it does for the machine, and the topics that it tells it of.

use crate::{Command, Config, Job, Machine, News, PROTOCOL, Rpc, SignatureError, Topics, Validation};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::{ProtocolId, Service, ServiceContext, ServiceError};
use sinew_runtime::{Caller, Driver, Malformed, Shell};
use std::sync::Arc;

/// Runs the machine, and tells it which topics are followed.
pub(crate) struct Flooding {
    pub(crate) driver: Box<Driver<Machine, Works>>,
    pub(crate) caller: Caller<Machine>,
    pub(crate) topics: Arc<Topics>,
}

impl Service for Flooding {
    fn name(&self) -> &'static str {
        "floodsub"
    }

    fn run(self: Box<Self>, context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        let Self {
            driver,
            caller,
            topics,
        } = *self;
        let tell = move |topics| {
            let caller = caller.clone();
            async move { caller.call(Command::Follow(topics)).await.is_ok() }
        };
        topics.serve(driver.run(context), tell).boxed()
    }
}

/// What the driver does for the machine.
pub(crate) struct Works {
    pub(crate) topics: Arc<Topics>,
    pub(crate) config: Config,
}

impl Shell<Machine> for Works {
    fn name(&self) -> &'static str {
        "floodsub"
    }

    fn protocols(&self) -> Vec<ProtocolId> {
        vec![PROTOCOL]
    }

    fn max_frame(&self) -> usize {
        self.config.max_rpc
    }

    fn decode(&self, frame: Bytes) -> Result<Rpc, Malformed> {
        Rpc::decode(&frame).map_err(|error| {
            tracing::debug!(%error, "an RPC is malformed");
            Malformed
        })
    }

    fn run(&self, Job(received): Job) -> BoxFuture<'static, Result<Validation, SignatureError>> {
        let Config {
            policy,
            validation_timeout,
            ..
        } = self.config;
        self.topics.judge(received, policy, validation_timeout)
    }

    fn emit(&self, news: News) {
        self.topics.emit(news);
    }
}
