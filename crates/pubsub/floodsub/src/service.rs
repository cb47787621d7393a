//! What the driver does for the machine.

use crate::{Config, Job, Machine, News, PROTOCOL, Rpc, SignatureError, Topics, Validation};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use sinew_core::ProtocolId;
use sinew_runtime::{Malformed, Shell};
use std::sync::Arc;

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

    fn at_once(&self, job: Job) -> Result<Result<Validation, SignatureError>, Job> {
        if self.topics.accepts(&job.0) {
            Ok(Ok(Validation::Accept))
        } else {
            Err(job)
        }
    }

    fn run(&self, Job(received): Job) -> BoxFuture<'static, Result<Validation, SignatureError>> {
        let policy = self.config.policy.of(received.message.topic());
        self.topics
            .judge(received, policy, self.config.validation_timeout)
    }

    fn emit(&self, news: News) {
        self.topics.emit(news);
    }
}
