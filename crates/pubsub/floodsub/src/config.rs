//! How floodsub is added to a node.

use crate::{
    Author, Command, Floodsub, Following, MAX_RPC, Machine, Message, MessageId, MessageIdFn,
    SignaturePolicies, SubscriptionFilter, Topics, service::Works,
};
use sinew_core::{Host, Registrar, Service, ServiceConfig};
use sinew_runtime::Driver;
use std::{fmt, sync::Arc, time::Duration};

/// How floodsub is done. All nodes of a network have to agree on the policy and the message ids.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whether messages are signed, and have to be; it may differ by topic. [`StrictSign`](crate::SignaturePolicy::StrictSign) unless told.
    pub policy: SignaturePolicies,
    /// By what messages are known again; it may look at their topic. [`MessageId::of`] unless told.
    pub message_id: MessageIdFn,
    /// Which topics are followed, here and by peers. All unless told, 1,024 of each peer.
    pub filter: SubscriptionFilter,
    /// The longest RPC, in bytes, that is read and sent. [`MAX_RPC`] unless told, as in go-libp2p.
    pub max_rpc: usize,
    /// How long a validator may take. 5 s unless told, as in py-libp2p.
    pub validation_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: SignaturePolicies::default(),
            message_id: Arc::new(MessageId::of),
            filter: SubscriptionFilter::default(),
            max_rpc: MAX_RPC,
            validation_timeout: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Sets [`Config::policy`].
    #[must_use]
    pub fn policy(mut self, policy: impl Into<SignaturePolicies>) -> Self {
        self.policy = policy.into();
        self
    }

    /// Sets [`Config::message_id`].
    #[must_use]
    pub fn message_id(mut self, id: impl Fn(&Message) -> MessageId + Send + Sync + 'static) -> Self {
        self.message_id = Arc::new(id);
        self
    }

    /// Sets [`Config::filter`].
    #[must_use]
    pub fn filter(mut self, filter: SubscriptionFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets [`Config::max_rpc`].
    #[must_use]
    pub fn max_rpc(mut self, bytes: usize) -> Self {
        self.max_rpc = bytes;
        self
    }

    /// Sets [`Config::validation_timeout`].
    #[must_use]
    pub fn validation_timeout(mut self, timeout: Duration) -> Self {
        self.validation_timeout = timeout;
        self
    }
}

impl ServiceConfig for Config {
    type Handle = Floodsub;

    fn build(self, host: Host, register: &mut Registrar) -> (Floodsub, Box<dyn Service>) {
        let topics = Arc::new(Topics::new(self.filter.clone()));
        let machine = Machine::new(host.peer_id(), self.policy.clone(), self.message_id.clone())
            .with_filter(self.filter.clone());
        let works = Works {
            topics: topics.clone(),
            config: self.clone(),
        };
        let (caller, driver) = Driver::new(machine, works, register);
        let (follow, leave) = (Command::Follow, Command::Leave);
        let service = Following::new(driver, topics.clone(), caller.clone(), follow, leave);
        let author = Author::new(host, self.policy, self.message_id, self.max_rpc);
        (Floodsub::new(author, caller, topics), Box::new(service))
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("policy", &self.policy)
            .field("filter", &self.filter)
            .field("max_rpc", &self.max_rpc)
            .field("validation_timeout", &self.validation_timeout)
            .finish_non_exhaustive()
    }
}
