//! The signature policy of each topic.

use crate::{SignaturePolicy, Topic};
use std::collections::BTreeMap;

/// The signature policy of each topic: one for some, another for all others.
///
/// ```
/// use sinew_floodsub::{SignaturePolicies, SignaturePolicy, Topic};
///
/// # fn policies() -> Result<SignaturePolicies, sinew_floodsub::TopicError> {
/// let votes = Topic::new("votes")?;
/// let policies = SignaturePolicies::from(SignaturePolicy::StrictSign).with(votes, SignaturePolicy::StrictNoSign);
/// # Ok(policies) }
/// ```
// spec: pubsub, Signature Policy Options: the usage of the fields is configurable per topic
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SignaturePolicies {
    others: SignaturePolicy,
    topics: BTreeMap<Topic, SignaturePolicy>,
}

impl From<SignaturePolicy> for SignaturePolicies {
    /// The same for all topics.
    fn from(others: SignaturePolicy) -> Self {
        let topics = BTreeMap::new();
        Self { others, topics }
    }
}

impl SignaturePolicies {
    /// Has a topic done in a way of its own.
    #[must_use]
    pub fn with(mut self, topic: Topic, policy: SignaturePolicy) -> Self {
        self.topics.insert(topic, policy);
        self
    }

    /// That of a topic.
    #[must_use]
    pub fn of(&self, topic: &str) -> SignaturePolicy {
        self.topics.get(topic).copied().unwrap_or(self.others)
    }
}
