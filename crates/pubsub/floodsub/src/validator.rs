//! What an application thinks of messages.

use crate::{Received, Validation};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Judges the messages of a topic before they are delivered and handed on, each once. Every closure from a received message
/// to a future is a validator:
///
/// ```
/// use sinew_floodsub::{Floodsub, Received, Topic, Validation};
/// use std::sync::Arc;
///
/// fn only_short(floodsub: &Floodsub, topic: &Topic) {
///     floodsub.set_validator(topic, |received: Arc<Received>| async move {
///         match received.message.data().len() {
///             0..=280 => Validation::Accept,
///             _ => Validation::Reject,
///         }
///     });
/// }
/// ```
pub trait Validator: Send + Sync + 'static {
    /// Judges a message, whose signature was verified if the policy asks for one. It is dropped when it takes longer than
    /// [`Config::validation_timeout`](crate::Config), and the message is ignored then; so it is after a panic.
    // spec: pubsub, Topic Validation: validators are attached to topics, and a message goes on only if all take it.
    fn validate(&self, received: Arc<Received>) -> BoxFuture<'static, Validation>;
}

impl<F, Fut> Validator for F
where
    F: Fn(Arc<Received>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Validation> + Send + 'static,
{
    fn validate(&self, received: Arc<Received>) -> BoxFuture<'static, Validation> {
        Box::pin(self(received))
    }
}
