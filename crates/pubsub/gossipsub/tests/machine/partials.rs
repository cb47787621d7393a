//! Partial messages.

use crate::{
    eight::Eight,
    rig::{Rig, V13, message, nth_topic, outbound, peer, topic},
};
use bytes::Bytes;
use sinew_floodsub::{Control, Extensions, Rpc, SubOpts};
use sinew_gossipsub::{
    Command, InvalidPartial, Job, Mesh, Message, Output, Params, PartialMessage, PartialMode, PartialParams,
    Reply, ScoreParams, TopicParams, TopicScore,
};
use sinew_identity::PeerId;
use sinew_machine::BUDGET;
use std::{collections::BTreeSet, sync::Arc};

/// Which peer it is.
fn number(id: PeerId) -> u8 {
    id.as_bytes()[2]
}

fn group(n: u8) -> Bytes {
    vec![n].into()
}

/// What was said of a group: its parts, and the bits of its metadata.
type Word = (Option<u8>, Option<u8>);

fn params() -> Params {
    let mut partial = PartialParams::default();
    partial.topics.insert(topic(), PartialMode::Request);
    let mut params = Params::default();
    params.partial = Some(partial);
    params
}

impl Rig {
    /// One that follows the topic among so many peers that ask for parts.
    fn sharing(peers: u8, params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.follow(true);
        for n in 0..peers {
            rig.join(n, Some(PartialMode::Request));
        }
        rig.wait(1);
        rig.said.clear();
        rig
    }

    /// A peer comes that speaks the newest version, with streams in both directions; it tells its topic where it knows of parts.
    fn join(&mut self, n: u8, mode: Option<PartialMode>) {
        let token = self.come(n, true);
        self.opened(n, V13, Some(token));
        self.opened(n, V13, None);
        let extensions = mode.map(|_| Extensions {
            partial_messages: true,
            ..Extensions::default()
        });
        let subscription = SubOpts {
            requests_partial: mode == Some(PartialMode::Request),
            supports_sending_partial: mode == Some(PartialMode::Send),
            ..SubOpts::new(topic(), true)
        };
        self.say(
            n,
            Rpc {
                subscriptions: vec![subscription],
                control: Control {
                    extensions,
                    ..Control::default()
                },
                ..Rpc::default()
            },
        );
    }

    /// A peer speaks of a group.
    fn partial(&mut self, n: u8, of: u8, (parts, metadata): Word) {
        let partial = PartialMessage {
            topic: topic(),
            group: group(of),
            message: parts.map(Eight::encoded),
            metadata: metadata.map(|bits| vec![bits].into()),
        };
        self.say_partial(n, partial);
    }

    fn say_partial(&mut self, n: u8, partial: PartialMessage) {
        self.say(
            n,
            Rpc {
                partial: Some(partial),
                ..Rpc::default()
            },
        );
    }

    /// We have those parts of a group.
    fn share(&mut self, of: u8, bits: u8, to: &[u8]) -> Reply {
        self.call(Command::PublishPartial {
            topic: topic(),
            group: group(of),
            partial: Arc::new(Eight::new(bits)),
            to: to.iter().copied().map(peer).collect(),
        })
    }

    /// Ends the oldest job: we have those parts now.
    fn judged(&mut self, output: Result<Option<u8>, InvalidPartial>) {
        assert!(matches!(self.jobs[0].1, Job::Partial(_)), "{:?}", self.jobs);
        let output = output.map(|bits| bits.map(|bits| Arc::new(Eight::new(bits)) as _));
        self.ran(Some(Output::Partial(output)));
    }

    /// Takes out what was said of groups: to whom, of which, and what.
    fn words(&mut self) -> Vec<(u8, u8, Word)> {
        let said = std::mem::take(&mut self.said);
        let each = said.into_iter().flat_map(|(to, rpcs)| {
            let n = number(to);
            let partials = rpcs.into_iter().filter_map(|rpc| rpc.partial);
            partials.map(move |partial| {
                let parts = partial.message.map(|parts| Eight::read(&parts).unwrap());
                (n, partial.group[0], (parts, partial.metadata.map(|bits| bits[0])))
            })
        });
        each.collect()
    }
}

#[test]
fn the_extension_and_what_we_want_of_topics_are_told() {
    let other = nth_topic(1);
    for (mode, requests) in [(PartialMode::Request, true), (PartialMode::Send, false)] {
        let mut params = params();
        params.partial.as_mut().unwrap().topics.insert(topic(), mode);
        let mut rig = Rig::new(params);
        rig.call(Command::Follow([topic(), other.clone()].into()));
        rig.join(0, None);
        let first = &rig.said[&peer(0)][0];
        assert!(first.control.extensions.unwrap().partial_messages);
        let partial = SubOpts {
            requests_partial: requests,
            supports_sending_partial: true,
            ..SubOpts::new(topic(), true)
        };
        assert_eq!(first.subscriptions, [partial, SubOpts::new(other.clone(), true)]);
    }
}

#[test]
fn nothing_of_it_is_spoken_unless_that_is_wanted() {
    let mut rig = Rig::sharing(1, Params::default());
    rig.join(1, Some(PartialMode::Request));
    assert_eq!(rig.said[&peer(1)][0].control.extensions, None);
    rig.said.clear();
    rig.partial(0, 1, (Some(1), Some(1)));
    assert_eq!(rig.share(1, 1, &[]), Reply::Published(None));
    assert!(rig.jobs.is_empty() && rig.said.is_empty());
    assert_eq!(rig.counts().unwanted, 0);
    assert_eq!(rig.publish(&message("whole")), Some(2));
}

#[test]
fn a_peer_is_sent_what_it_lacks_once() {
    let mut rig = Rig::sharing(2, params());
    assert_eq!(rig.share(7, 0b1111, &[]), Reply::Published(Some(2)));
    let metadata = (None, Some(0b1111));
    assert_eq!(rig.words(), [(0, 7, metadata), (1, 7, metadata)], "no parts yet");
    rig.partial(1, 7, (None, Some(0b1_0011)));
    assert_eq!(rig.words(), [(1, 7, (Some(0b1100), None))]);
    rig.partial(1, 7, (None, Some(0b1_0011)));
    rig.share(7, 0b1111, &[]);
    rig.wait(3);
    assert_eq!(rig.words(), [], "nothing is new");
    assert_eq!(rig.counts().duplicates, 1);
    rig.share(7, 0b10_1111, &[]);
    assert_eq!(
        rig.words(),
        [
            (0, 7, (None, Some(0b10_1111))),
            (1, 7, (Some(0b10_0000), Some(0b10_1111)))
        ],
        "rust takes no parts of who did not say that it has them"
    );
}

#[test]
fn parts_are_judged_and_then_told_to_others() {
    let mut rig = Rig::sharing(3, params());
    rig.partial(0, 7, (None, Some(0b11)));
    assert!(rig.words().is_empty(), "we know nothing of the group");
    rig.judged(Ok(Some(0)));
    let metadata = (None, Some(0));
    assert_eq!(
        rig.words(),
        [(0, 7, metadata), (1, 7, metadata), (2, 7, metadata)]
    );
    rig.partial(1, 7, (None, Some(0)));
    rig.partial(0, 7, (Some(0b11), None));
    assert!(rig.words().is_empty());
    rig.judged(Ok(Some(0b11)));
    assert_eq!(
        rig.words(),
        [(1, 7, (Some(0b11), Some(0b11))), (2, 7, (None, Some(0b11)))],
        "whoever sent them knows"
    );
    assert_eq!(rig.counts().partials, 2);
}

#[test]
fn what_a_peer_sends_is_judged_in_its_order() {
    let mut rig = Rig::sharing(2, params());
    rig.share(7, 0, &[]);
    for (n, bits) in [(0, 1), (0, 2), (1, 4)] {
        rig.partial(n, 7, (Some(bits), None));
    }
    assert_eq!(rig.jobs.len(), 2, "one of each peer");
    rig.words();
    rig.jobs.swap(0, 1);
    rig.judged(Ok(Some(4)));
    rig.judged(Ok(Some(5)));
    assert_eq!(rig.jobs.len(), 1);
    rig.judged(Ok(Some(7)));
    rig.share(7, 1, &[]);
    rig.join(2, Some(PartialMode::Request));
    rig.words();
    rig.partial(2, 7, (None, Some(0)));
    assert_eq!(
        rig.words(),
        [(2, 7, (Some(7), Some(7)))],
        "what is older does not count"
    );
}

#[test]
fn parts_take_the_place_of_whole_messages() {
    let mut rig = Rig::sharing(1, params());
    rig.join(1, Some(PartialMode::Send));
    rig.join(2, None);
    rig.wait(1);
    rig.said.clear();
    let large = Message::anonymous(&topic(), vec![0; 2000]);
    let receivers = |rig: &mut Rig, of: fn(&Rpc) -> bool| {
        let said = std::mem::take(&mut rig.said);
        let to = said.into_iter().filter(|(_, rpcs)| rpcs.iter().any(of));
        to.map(|(to, _)| number(to)).collect::<BTreeSet<u8>>()
    };
    rig.join(3, None);
    rig.message(3, &large);
    let told = receivers(&mut rig, |rpc| !rpc.control.idontwant.is_empty());
    assert_eq!(told, [2].into(), "who sends parts sends no whole message");
    rig.accept();
    let sent = receivers(&mut rig, |rpc| !rpc.publish.is_empty());
    assert_eq!(sent, [1, 2].into(), "not to who asks for parts");
    rig.share(7, 1, &[]);
    rig.partial(1, 7, (None, Some(0)));
    assert_eq!(
        rig.words(),
        [(0, 7, (None, Some(1))), (1, 7, (None, Some(1)))],
        "who does not ask gets no parts"
    );
}

#[test]
fn peers_outside_the_mesh_hear_of_groups_by_gossip() {
    let mut params = params();
    params.flood_publish = false;
    params.mesh = Mesh {
        target: 1,
        low: 1,
        high: 1,
        score: 0,
        outbound: 0,
    };
    let mut rig = Rig::sharing(3, params);
    assert_eq!(rig.share(7, 1, &[]), Reply::Published(Some(1)));
    let close = rig.words();
    assert_eq!(close.len(), 1);
    rig.publish(&message("whole"));
    rig.wait(1);
    assert!(
        rig.said
            .values()
            .flatten()
            .all(|rpc| rpc.control.ihave.is_empty())
    );
    let words = rig.words();
    let far: BTreeSet<_> = words.iter().map(|(n, ..)| *n).collect();
    assert_eq!((words.len(), far.len()), (2, 2));
    assert!(!far.contains(&close[0].0));
    rig.wait(2);
    assert!(rig.words().is_empty());
}

#[test]
fn a_topic_that_is_not_followed_has_a_fanout_or_is_sent_to_who_is_named() {
    let mut rig = Rig::new(params());
    (0..3).for_each(|n| rig.join(n, Some(PartialMode::Request)));
    rig.said.clear();
    assert_eq!(rig.share(7, 0xff, &[1, 9]), Reply::Published(Some(1)));
    assert_eq!(rig.words(), [(1, 7, (None, Some(0xff)))]);
    rig.partial(2, 7, (None, Some(0x0f)));
    assert_eq!(rig.words(), [(2, 7, (Some(0xf0), Some(0xff)))], "whoever asks");
    assert_eq!(rig.share(8, 0xff, &[]), Reply::Published(Some(3)));
    assert_eq!(rig.words().len(), 3);
}

#[test]
fn many_parts_go_in_several_rpcs() {
    let mut params = params();
    params.partial.as_mut().unwrap().max_parts = 3 * 1024 + 1;
    let mut rig = Rig::sharing(1, params);
    rig.share(7, 0xff, &[]);
    rig.words();
    rig.partial(0, 7, (None, Some(0)));
    let sent: Vec<_> = rig.words().into_iter().map(|(_, _, (parts, _))| parts).collect();
    assert_eq!(sent, [Some(0b111), Some(0b11_1000), Some(0b1100_0000)]);
}

#[test]
fn groups_that_peers_begin_are_few_and_end() {
    let mut params = params();
    let partial = params.partial.as_mut().unwrap();
    (partial.groups_per_peer, partial.groups_per_topic) = (2, 3);
    let mut rig = Rig::sharing(2, params);
    let begin = |rig: &mut Rig, n, of| {
        let before = rig.counts().dropped;
        rig.partial(n, of, (None, Some(1)));
        rig.counts().dropped == before
    };
    assert!(begin(&mut rig, 0, 1) && begin(&mut rig, 0, 2) && begin(&mut rig, 0, 2));
    assert!(!begin(&mut rig, 0, 3), "it has two");
    assert!(begin(&mut rig, 1, 3) && !begin(&mut rig, 1, 4), "all have three");
    rig.share(2, 1, &[]);
    assert!(begin(&mut rig, 1, 4), "one is ours now");
    rig.wait(5);
    assert!(
        begin(&mut rig, 0, 5) && begin(&mut rig, 0, 6),
        "the others are forgotten"
    );
    rig.words();
    rig.share(2, 1, &[]);
    assert_eq!(rig.words().len(), 2, "and nobody knows ours");
}

#[test]
fn what_is_malformed_or_was_not_agreed_on_is_held_against_a_peer() {
    let mut params = params();
    params.score = Some(ScoreParams::default());
    let mut scored = TopicParams::default();
    scored.score = Some(TopicScore::default());
    params.topics.insert(topic(), scored);
    let mut rig = Rig::sharing(3, params);
    let garbage = |of: u8, metadata: &'static [u8]| PartialMessage {
        topic: topic(),
        group: group(of),
        message: None,
        metadata: Some(metadata.into()),
    };
    rig.share(7, 1, &[]);
    let before = rig.score(0);
    rig.say_partial(0, garbage(7, b"long"));
    assert!(rig.score(0) < before, "parts for it cannot be found");
    rig.share(7, 3, &[]);
    assert_eq!(rig.counts().rejected, 1, "that is over");
    let before = rig.score(1);
    rig.partial(1, 7, (Some(2), None));
    rig.judged(Err(InvalidPartial));
    assert!(rig.score(1) < before, "the application refused them");
    assert_eq!(rig.counts().rejected, 2);
    rig.join(4, None);
    rig.partial(4, 7, (None, Some(1)));
    let other = PartialMessage {
        topic: nth_topic(1),
        ..garbage(7, b"1")
    };
    rig.say_partial(2, other);
    rig.partial(2, 7, (None, None));
    assert_eq!(rig.counts().unwanted, 3);
    rig.call(Command::Judge(peer(2), -1000.0));
    rig.partial(2, 8, (None, Some(1)));
    assert!(rig.jobs.is_empty(), "its gossip is not heard");
    assert!(rig.resets.is_empty());
}

#[test]
fn who_repeats_itself_is_not_listened_to() {
    let mut rig = Rig::sharing(1, params());
    rig.share(7, 1, &[]);
    let said = std::iter::repeat_with(|| {
        rig.partial(0, 7, (None, Some(0)));
        rig.resets.is_empty()
    });
    let said = said.take_while(|is_heard| *is_heard).count();
    assert_eq!(said as u64, 1 + BUDGET, "the first was news");
    assert_eq!((rig.resets.len(), rig.counts().floods), (1, 1));
}

#[test]
fn a_peer_that_comes_back_is_told_anew() {
    let mut rig = Rig::sharing(1, params());
    rig.share(7, 1, &[]);
    rig.partial(0, 7, (None, Some(0)));
    assert_eq!(rig.words().len(), 2);
    rig.closed(outbound(0));
    rig.wait(1);
    let token = rig.opening.pop();
    rig.opened(0, V13, token);
    rig.wait(2);
    assert_eq!(rig.words(), [(0, 7, (None, Some(1)))]);
}

#[test]
fn bounds_of_partial_messages_are_not_zero() {
    let changes: [fn(&mut PartialParams); 4] = [
        |partial| partial.groups_per_peer = 0,
        |partial| partial.groups_per_topic = 0,
        |partial| partial.group_heartbeats = 0,
        |partial| partial.max_parts = 0,
    ];
    for change in changes {
        let mut params = params();
        assert_eq!(params.check(), Ok(()));
        change(params.partial.as_mut().unwrap());
        assert!(params.check().is_err());
    }
}
