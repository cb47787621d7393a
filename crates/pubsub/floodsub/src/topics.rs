//! The topics that the application follows: a fact that the machine is told of, however often it changes.

use crate::{
    Event, MAX_TOPICS, News, Received, SignatureError, SignaturePolicy, SubscribeError, Subscription,
    SubscriptionFilter, Topic, Validation, Validator, subscription::Events,
};
use futures_util::{FutureExt, future::BoxFuture};
use sinew_core::PeerId;
use sinew_runtime::timeout;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, broadcast};

/// Events of each kind that are kept for a subscription; the oldest are lost first.
const EVENTS: usize = 256;

/// What the application follows, and how it judges: what a handle, its subscriptions and the service share.
pub struct Topics {
    filter: SubscriptionFilter,
    inner: Mutex<Inner>,
    changed: Notify,
    /// Peers came to topics or left them, or all has ended.
    peers_changed: Notify,
}

#[derive(Default)]
struct Inner {
    followed: BTreeMap<Topic, Followed>,
    validators: BTreeMap<Topic, Arc<dyn Validator>>,
    ended: bool,
}

struct Followed {
    subscriptions: usize,
    messages: broadcast::Sender<Event>,
    peers: broadcast::Sender<Event>,
}

impl Topics {
    /// None yet, and later those alone that a filter allows.
    #[must_use]
    pub fn new(filter: SubscriptionFilter) -> Self {
        Self {
            filter,
            inner: Mutex::default(),
            changed: Notify::new(),
            peers_changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a subscription.
    ///
    /// # Errors
    /// [`SubscribeError`] when too many topics are followed, the filter is against it, or the service has ended.
    pub fn subscribe(self: &Arc<Self>, topic: &Topic) -> Result<Subscription, SubscribeError> {
        let events = self.join(topic)?;
        Ok(Subscription::new(topic.clone(), events, self.clone()))
    }

    fn join(&self, topic: &Topic) -> Result<Events, SubscribeError> {
        if !self.filter.allows(topic) {
            return Err(SubscribeError::Filtered);
        }
        let mut inner = self.lock();
        if inner.ended {
            return Err(SubscribeError::Ended);
        }
        if inner.followed.len() >= MAX_TOPICS && !inner.followed.contains_key(topic) {
            return Err(SubscribeError::TooMany);
        }
        let new = || Followed {
            subscriptions: 0,
            messages: broadcast::Sender::new(EVENTS),
            peers: broadcast::Sender::new(EVENTS),
        };
        let followed = inner.followed.entry(topic.clone()).or_insert_with(new);
        followed.subscriptions += 1;
        self.changed.notify_one();
        Ok(Events {
            messages: followed.messages.subscribe(),
            peers: followed.peers.subscribe(),
        })
    }

    /// Ends a subscription.
    pub(crate) fn leave(&self, topic: &Topic) {
        let mut inner = self.lock();
        if let Some(followed) = inner.followed.get_mut(topic) {
            followed.subscriptions -= 1;
            if followed.subscriptions == 0 {
                inner.followed.remove(topic);
                self.changed.notify_one();
            }
        }
    }

    /// Waits until the topics may have changed, and says which they are.
    pub(crate) async fn next(&self) -> BTreeSet<Topic> {
        self.changed.notified().await;
        self.lock().followed.keys().cloned().collect()
    }

    /// Waits until there are enough peers of a topic, as `peers` says.
    ///
    /// # Errors
    /// [`SubscribeError::Ended`] when the service ends meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn wait<F: Future<Output = Vec<PeerId>>>(
        &self,
        count: usize,
        peers: impl Fn() -> F,
    ) -> Result<(), SubscribeError> {
        loop {
            let mut changed = pin!(self.peers_changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if peers().await.len() >= count {
                return Ok(());
            }
            if self.lock().ended {
                return Err(SubscribeError::Ended);
            }
            changed.await;
        }
    }

    /// Tells the subscriptions of news.
    pub fn emit(&self, news: News) {
        if !matches!(news, News::Message(_)) {
            self.peers_changed.notify_waiters();
        }
        let (topic, event) = match news {
            News::Message(received) => (
                Topic::read(received.message.topic().as_bytes()),
                Event::Message(received),
            ),
            News::Joined(topic, peer) => (Some(topic), Event::Joined(peer)),
            News::Left(topic, peer) => (Some(topic), Event::Left(peer)),
        };
        let inner = self.lock();
        if let Some(followed) = topic.and_then(|topic| inner.followed.get(&topic)) {
            let queue = match event {
                Event::Message(_) => &followed.messages,
                Event::Joined(_) | Event::Left(_) => &followed.peers,
            };
            // The last subscription may be leaving: nobody is there to miss it.
            let _ = queue.send(event);
        }
    }

    fn validator(&self, topic: &str) -> Option<Arc<dyn Validator>> {
        self.lock().validators.get(topic).cloned()
    }

    /// Has the messages of a topic judged from now on, in place of what judged them before.
    pub fn set_validator(&self, topic: &Topic, validator: Arc<dyn Validator>) {
        self.lock().validators.insert(topic.clone(), validator);
    }

    /// Has the messages of a topic accepted without being judged; `false` if they were.
    pub fn remove_validator(&self, topic: &Topic) -> bool {
        self.lock().validators.remove(topic).is_some()
    }

    /// Ends all subscriptions, and takes no more.
    pub(crate) fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.followed.clear();
        self.peers_changed.notify_waiters();
    }

    /// Whether a message is accepted without a look at it: it is not signed, and the application judges no messages of its topic.
    #[must_use]
    pub fn accepts(&self, received: &Received) -> bool {
        received.message.signature().is_none() && self.validator(received.message.topic()).is_none()
    }

    /// Verifies the signature of a message, if it has one, and has the application judge it, for a time.
    #[must_use]
    pub fn judge(
        &self,
        received: Arc<Received>,
        policy: SignaturePolicy,
        within: Duration,
    ) -> BoxFuture<'static, Result<Validation, SignatureError>> {
        let validator = self.validator(received.message.topic());
        async move {
            policy.check(&received.message).inspect_err(|error| {
                tracing::debug!(peer = %received.peer, %error, "a message is refused");
            })?;
            let Some(validator) = validator else {
                return Ok(Validation::Accept);
            };
            let judged = timeout(within, validator.validate(received.clone())).await;
            Ok(judged.unwrap_or_else(|_| too_late(&received)))
        }
        .boxed()
    }
}

fn too_late(received: &Received) -> Validation {
    tracing::debug!(topic = received.message.topic(), id = %received.id, "a message was not validated in time");
    Validation::Ignore
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}
