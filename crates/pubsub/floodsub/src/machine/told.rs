//! Our topics, as one peer knows them.

use crate::{SubOpts, Topic};
use std::collections::BTreeSet;

/// Which of our topics a peer was told, and which it was not. A topic that changes often waits once, and what is told is how
/// it is then.
#[derive(Default, Debug)]
pub struct Told {
    told: BTreeSet<Topic>,
    untold: BTreeSet<Topic>,
}

impl Told {
    /// A new stream begins, on which all our topics are to be told.
    pub fn begin(&mut self, topics: impl IntoIterator<Item = Topic>) {
        self.told.clear();
        self.untold = topics.into_iter().collect();
    }

    /// We joined or left a topic.
    pub fn changed(&mut self, topic: &Topic) {
        self.untold.insert(topic.clone());
    }

    /// What is to be told now.
    pub fn next(&mut self, is_ours: impl Fn(&Topic) -> bool) -> Vec<SubOpts> {
        let mut news = Vec::new();
        for topic in std::mem::take(&mut self.untold) {
            let subscribe = is_ours(&topic);
            let is_new = if subscribe {
                self.told.insert(topic.clone())
            } else {
                self.told.remove(&topic)
            };
            if is_new {
                news.push(SubOpts::new(topic, subscribe));
            }
        }
        news
    }
}
