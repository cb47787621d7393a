//! What waits to be sent to one peer, by priority: control before groups of partial messages, those before our own messages, those
//! before messages of others, those before gossip. Each has a bound; messages of others and our own are of no use after a while.

mod lane;

pub(super) use lane::Lane;
pub use lane::MAX_QUEUED;

use super::groups::GroupKey;
use bytes::Bytes;
use sinew_floodsub::{
    Announcement, Control, Extensions, MessageId, OtherPeer, Prune, Rpc, SubOpts, Told, Topic, gossip, join,
};
use sinew_machine::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Ids that wait for one peer, of those that it is asked for and those that we do not want; more are not told.
const MAX_IDS: usize = 5000;

/// Bytes of announcements that wait for one peer, which others may share; more are not told. Some 5,000 ids of the usual length.
const MAX_ANNOUNCED: usize = 256 << 10;

/// The most that one RPC of gossip or control holds, or little more: below what rust-libp2p reads unless told, 64 KiB.
const MAX_RPC: usize = 40 << 10;

/// How long an RPC is made of several messages: each costs less than in a frame of its own. All implementations read as much
/// unless told. Longer messages leave by themselves, without a copy.
const JOINED: usize = 16 << 10;

/// What waits to be sent to one peer.
#[derive(Default, Debug)]
pub(super) struct Outbox {
    /// What is said once at the beginning.
    pub(super) extensions: Option<Extensions>,
    pub(super) told: Told,
    /// The last word on each topic's mesh.
    links: BTreeMap<Topic, Link>,
    idontwant: VecDeque<MessageId>,
    pub(super) test_extension: bool,
    /// Groups of which the peer may not know all. What it is told is how it is then.
    pub(super) groups: BTreeSet<GroupKey>,
    pub(super) own: Lane,
    pub(super) forwarded: Lane,
    iwant: VecDeque<Wanted>,
    /// Of the frame that is being written: what the peer promised that it asks for.
    asking: Vec<MessageId>,
    ihave: VecDeque<(Topic, Announcement)>,
}

/// A message that a peer is to be asked for.
#[derive(Debug)]
struct Wanted {
    id: MessageId,
    /// Whether it is the one of its announcement that the peer has to send.
    is_promised: bool,
}

/// The peer is in a mesh of ours, or was taken out of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Link {
    Graft,
    Prune {
        peers: Vec<OtherPeer>,
        /// In seconds.
        backoff: Option<u64>,
    },
}

impl Outbox {
    /// Tells the peer whether it is in a mesh; a word before that was not sent is void.
    pub(super) fn link(&mut self, topic: Topic, link: Link) {
        self.links.insert(topic, link);
    }

    /// The peer left a mesh by itself: that it came into it need not be said any more, and may not.
    pub(super) fn take_back(&mut self, topic: &Topic) {
        if self.links.get(topic) == Some(&Link::Graft) {
            self.links.remove(topic);
        }
    }

    /// Asks for messages of one announcement. Of the first it is to be known whether it comes.
    pub(super) fn iwant(&mut self, ids: impl IntoIterator<Item = MessageId>) {
        let wanted = ids.into_iter().enumerate().map(|(n, id)| Wanted {
            id,
            is_promised: n == 0,
        });
        fill(&mut self.iwant, wanted);
    }

    /// Takes out what the peer promised of what it has been asked for by now.
    pub(super) fn take_asked(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.asking)
    }

    pub(super) fn idontwant(&mut self, id: MessageId) {
        fill(&mut self.idontwant, [id]);
    }

    /// Announces messages, as far as there is room. What was to be announced before is old by now.
    pub(super) fn ihave(&mut self, topic: &Topic, announced: impl IntoIterator<Item = Announcement>) {
        self.ihave.retain(|(other, _)| other != topic);
        let waits = self.ihave.iter().map(|(_, one)| one.as_bytes().len());
        let mut room = MAX_ANNOUNCED.saturating_sub(waits.sum());
        for one in announced {
            let Some(rest) = room.checked_sub(one.as_bytes().len()) else {
                return;
            };
            room = rest;
            self.ihave.push_back((topic.clone(), one));
        }
    }

    /// The next frame to send, after control and groups: messages as far as they fit in, or gossip.
    pub(super) fn next(&mut self, now: Instant) -> Option<Bytes> {
        let (mut messages, mut room) = (Vec::new(), JOINED);
        for lane in [&mut self.own, &mut self.forwarded] {
            lane.expire(now);
            while let Some(frame) = lane.pop(if messages.is_empty() { usize::MAX } else { room }) {
                room = room.saturating_sub(frame.len());
                messages.push(frame);
            }
        }
        if messages.is_empty() {
            return self.gossip();
        }
        Some(join(messages))
    }

    /// Takes out the messages for which there was no room, or which were not taken in time.
    pub(super) fn take_lost(&mut self, now: Instant) -> Vec<Bytes> {
        self.own.expire(now);
        self.forwarded.expire(now);
        let mut lost = std::mem::take(&mut self.own.lost);
        lost.append(&mut self.forwarded.lost);
        lost
    }

    /// Whether no control waits.
    pub(super) fn is_silent(&self) -> bool {
        self.extensions.is_none()
            && self.told.is_done()
            && self.links.is_empty()
            && self.idontwant.is_empty()
            && !self.test_extension
    }

    /// Whether nothing waits that goes before a message.
    pub(super) fn is_clear(&self) -> bool {
        self.is_silent() && self.groups.is_empty() && self.own.is_empty() && self.forwarded.is_empty()
    }

    /// The next frame of control; `sub_opts` is how a topic is told.
    pub(super) fn control(&mut self, sub_opts: impl Fn(&Topic) -> SubOpts) -> Option<Bytes> {
        if self.is_silent() {
            return None;
        }
        let subscriptions = self.told.next(sub_opts);
        let told = subscriptions.iter().map(|sub| sub.topic.as_str().len() + 8);
        let mut room = MAX_RPC.saturating_sub(told.sum());
        let mut control = Control {
            // spec: gossipsub 1.3: in the first RPC of a stream, and in no other
            extensions: self.extensions.take(),
            ..Control::default()
        };
        while room > 0
            && let Some((topic, link)) = self.links.pop_first()
        {
            room = room.saturating_sub(topic.as_str().len() + 16);
            match link {
                Link::Graft => control.graft.push(topic),
                Link::Prune { peers, backoff } => {
                    let records = peers
                        .iter()
                        .map(|other| other.record.as_ref().map_or(0, Bytes::len) + 64);
                    room = room.saturating_sub(records.sum());
                    control.prune.push(Prune {
                        topic,
                        peers,
                        backoff,
                    });
                }
            }
        }
        control.idontwant = take(&mut self.idontwant, &mut room, |id| id.as_bytes().len());
        let rpc = Rpc {
            subscriptions,
            control,
            test_extension: std::mem::take(&mut self.test_extension),
            ..Rpc::default()
        };
        (rpc != Rpc::default()).then(|| rpc.encode())
    }

    fn gossip(&mut self) -> Option<Bytes> {
        let mut room = MAX_RPC;
        let wanted = take(&mut self.iwant, &mut room, |wanted| wanted.id.as_bytes().len());
        let promised = wanted.iter().filter(|wanted| wanted.is_promised);
        self.asking.extend(promised.map(|wanted| wanted.id.clone()));
        let ihave = take(&mut self.ihave, &mut room, |(_, one)| one.as_bytes().len());
        let iwant: Vec<_> = wanted.into_iter().map(|wanted| wanted.id).collect();
        let ihave: Vec<_> = ihave.into_iter().map(|(_, one)| one).collect();
        (!iwant.is_empty() || !ihave.is_empty()).then(|| gossip(&iwant, &ihave))
    }
}

/// Adds what there is room for.
fn fill<T>(list: &mut VecDeque<T>, more: impl IntoIterator<Item = T>) {
    let room = MAX_IDS.saturating_sub(list.len());
    list.extend(more.into_iter().take(room));
}

/// Takes what there is room for in an RPC.
fn take<T>(list: &mut VecDeque<T>, room: &mut usize, len: impl Fn(&T) -> usize) -> Vec<T> {
    let mut taken = Vec::new();
    while *room > 0
        && let Some(one) = list.pop_front()
    {
        *room = room.saturating_sub(len(&one) + 4);
        taken.push(one);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::{JOINED, Link, MAX_ANNOUNCED, Outbox};
    use bytes::Bytes;
    use sinew_floodsub::{
        Announcement, Extensions, Frame, IHave, Message, MessageId, Pool, Rpc, SubOpts, Topic,
    };
    use sinew_machine::Instant;
    use sinew_wire::varint;
    use std::sync::Arc;

    fn topic(text: &str) -> Topic {
        text.parse().expect("a topic")
    }

    fn id(n: u32) -> MessageId {
        n.to_be_bytes().to_vec().into()
    }

    fn announced(ids: impl IntoIterator<Item = MessageId>) -> Announcement {
        Announcement::new(&IHave {
            topic: topic("a"),
            ids: ids.into_iter().collect(),
        })
    }

    fn message(data: &[u8]) -> Arc<Frame> {
        Pool::default().frame(Message::anonymous(&topic("a"), data.to_vec()).rpc())
    }

    fn read(frame: &Bytes) -> Rpc {
        let (_, prefix) = varint::decode(frame).expect("sound").expect("whole");
        Rpc::decode(&frame.slice(prefix..)).expect("an RPC")
    }

    #[test]
    fn priorities() {
        let (mut outbox, now) = (Outbox::default(), Instant(0));
        let ours = |text: &Topic| SubOpts::new(text.clone(), true);
        outbox.ihave(&topic("a"), [announced([id(1)])]);
        outbox.iwant([id(2)]);
        let later = Instant(9);
        assert!(outbox.forwarded.push(now, id(3), &message(b"forwarded"), later));
        assert!(outbox.own.push(now, id(4), &message(b"own"), later));
        outbox.idontwant(id(5));
        let backoff = Some(1);
        outbox.link(
            topic("a"),
            Link::Prune {
                peers: vec![],
                backoff,
            },
        );
        outbox.link(topic("a"), Link::Graft);
        outbox.told.begin([topic("a")]);
        outbox.extensions = Some(Extensions::default());
        let first = read(&outbox.control(ours).expect("control"));
        assert_eq!(first.subscriptions.len(), 1);
        assert!(first.control.extensions.is_some() && first.control.prune.is_empty());
        assert_eq!(
            (first.control.graft, first.control.idontwant),
            (vec![topic("a")], vec![id(5)])
        );
        assert_eq!(outbox.control(ours), None);
        let messages = read(&outbox.next(now).expect("messages")).publish;
        let data: Vec<_> = messages.iter().map(Message::data).collect();
        assert_eq!(data, [&b"own"[..], b"forwarded"]);
        let last = read(&outbox.next(now).expect("gossip")).control;
        assert_eq!((last.ihave[0].ids[0].clone(), last.iwant), (id(1), vec![id(2)]));
        assert_eq!(outbox.next(now), None);
    }

    #[test]
    fn short_messages_share_an_rpc_and_long_ones_have_their_own() {
        let (mut outbox, now, later) = (Outbox::default(), Instant(0), Instant(9));
        let lens = [JOINED, 10, JOINED / 2, JOINED / 2, 20];
        for (n, len) in (0..).zip(lens) {
            let frame = message(&vec![0; len]);
            assert!(outbox.forwarded.push(now, id(n), &frame, later));
        }
        let frames: Vec<_> = std::iter::from_fn(|| outbox.next(now)).collect();
        assert!(frames[1..].iter().all(|frame| frame.len() <= JOINED));
        let each = frames.iter().map(|frame| read(frame).publish.len());
        assert_eq!(each.collect::<Vec<_>>(), [1, 2, 2]);
        assert!(outbox.forwarded.is_empty());
    }

    #[test]
    fn much_gossip_goes_in_several_rpcs() {
        let mut outbox = Outbox::default();
        let long = |n: u32| MessageId::from([&n.to_be_bytes()[..], &[0; 250]].concat());
        let each = announced((0..30).map(long));
        let len = each.as_bytes().len();
        outbox.ihave(&topic("b"), vec![each.clone(); 7]);
        outbox.ihave(&topic("b"), []);
        outbox.ihave(&topic("a"), vec![each; 100]);
        let mut ids = Vec::new();
        let mut rpcs = 0;
        while let Some(frame) = outbox.next(Instant(0)) {
            assert!(frame.len() < 64 << 10);
            let ihave = read(&frame).control.ihave;
            ids.extend(ihave.into_iter().flat_map(|ihave| ihave.ids));
            rpcs += 1;
        }
        assert_eq!((ids.len(), rpcs), (MAX_ANNOUNCED / len * 30, 6));
    }
}
