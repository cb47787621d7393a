//! Our topics, as one peer knows them.

use crate::{SubOpts, Topic};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of topics that are told in one RPC, or little more: below what rust-libp2p reads unless told, 64 KiB.
const MAX_TOLD: usize = 40 << 10;

/// Which of our topics a peer was told, and which it was not. A topic that changes often waits once, and what is told is how
/// it is then.
#[derive(Default, Debug)]
pub struct Told {
    told: BTreeMap<Topic, SubOpts>,
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

    /// Whether nothing is left to be told.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.untold.is_empty()
    }

    /// What is to be told now, as `now` says it is; what one RPC does not hold is left for the next.
    pub fn next(&mut self, now: impl Fn(&Topic) -> SubOpts) -> Vec<SubOpts> {
        let (mut news, mut len) = (Vec::new(), 0);
        while len < MAX_TOLD
            && let Some(topic) = self.untold.pop_first()
        {
            let sub = now(&topic);
            let before = self.told.remove(&topic);
            let is_known = before.map_or(!sub.subscribe, |before| before == sub);
            if sub.subscribe {
                self.told.insert(topic, sub.clone());
            }
            if !is_known {
                len += sub.topic.as_str().len() + 12;
                news.push(sub);
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TOLD, Told};
    use crate::{MAX_TOPIC, MAX_TOPICS, Rpc, SubOpts, Topic};

    #[test]
    fn many_topics_are_told_in_several_rpcs() {
        let topic = |n: usize| Topic::new(&format!("{n:0>MAX_TOPIC$}")).expect("a topic");
        let mut told = Told::default();
        told.begin((0..MAX_TOPICS).map(topic));
        let (mut rpcs, mut topics) = (0, 0);
        loop {
            let subscriptions = told.next(|topic| SubOpts::new(topic.clone(), true));
            if subscriptions.is_empty() {
                break;
            }
            rpcs += 1;
            topics += subscriptions.len();
            let rpc = Rpc {
                subscriptions,
                ..Rpc::default()
            };
            assert!(rpc.encode().len() < MAX_TOLD + 2 * MAX_TOPIC);
        }
        assert_eq!((topics, rpcs), (MAX_TOPICS, 13));
    }

    #[test]
    fn a_topic_is_told_again_when_it_is_another() {
        let (mut told, topic) = (Told::default(), Topic::new("a").expect("a topic"));
        let partial = |topic: &Topic| SubOpts {
            requests_partial: true,
            ..SubOpts::new(topic.clone(), true)
        };
        told.begin([topic.clone()]);
        assert_eq!(told.next(|topic| SubOpts::new(topic.clone(), true)).len(), 1);
        told.changed(&topic);
        assert_eq!(told.next(partial), [partial(&topic)]);
        told.changed(&topic);
        assert!(told.next(partial).is_empty());
    }
}
