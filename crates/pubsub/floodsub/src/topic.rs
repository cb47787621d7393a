//! Topics: what messages are about.

use sinew_machine::{Blame, Culpable};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};
use thiserror::Error;

/// The longest topic, in bytes. No specification has a bound; topics of running networks stay below 100.
pub const MAX_TOPIC: usize = 512;

/// What messages are about: a text of 1 to [`MAX_TOPIC`] bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

/// A topic has to have 1 to [`MAX_TOPIC`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a topic of {0} bytes where 1 to {MAX_TOPIC} are allowed")]
pub struct TopicError(pub usize);

impl Culpable for TopicError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

impl Topic {
    /// The topic of that text.
    ///
    /// # Errors
    /// [`TopicError`] when the text is empty or too long.
    pub fn new(text: &str) -> Result<Self, TopicError> {
        if text.is_empty() || text.len() > MAX_TOPIC {
            return Err(TopicError(text.len()));
        }
        Ok(Self(text.into()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a peer wrote, if it is a topic.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        Self::new(std::str::from_utf8(bytes).ok()?).ok()
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TOPIC, Topic, TopicError};

    #[test]
    fn a_topic_has_a_length() {
        assert_eq!(Topic::new(""), Err(TopicError(0)));
        assert!(Topic::new(&"a".repeat(MAX_TOPIC)).is_ok());
        assert_eq!(
            Topic::new(&"a".repeat(MAX_TOPIC + 1)),
            Err(TopicError(MAX_TOPIC + 1))
        );
        assert_eq!(Topic::read(&[0xff]), None);
    }
}
