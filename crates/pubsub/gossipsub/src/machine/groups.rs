//! The groups of partial messages: what we have of each, and what each peer has and knows of us.

use crate::{InvalidPartial, Partial, PartialParams};
use bytes::Bytes;
use sinew_floodsub::{MAX_METADATA, PartialMessage, Topic};
use sinew_identity::PeerId;
use std::{collections::BTreeMap, sync::Arc};

/// A topic and a group of it.
pub(super) type GroupKey = (Topic, Bytes);

/// The groups that are known.
#[derive(Default, Debug)]
pub(super) struct Groups {
    groups: BTreeMap<GroupKey, Group>,
}

#[derive(Debug)]
struct Group {
    /// What we have of it; `None` as long as peers alone speak of it.
    ours: Option<Arc<dyn Partial>>,
    /// Which peer spoke of it first, if we did not.
    begun_by: Option<PeerId>,
    heartbeats: u32,
    peers: BTreeMap<PeerId, View>,
}

/// What is known between a peer and us.
#[derive(Default, Debug)]
struct View {
    /// What it has, by what it said and what we sent.
    theirs: Option<Bytes>,
    /// What it knows that we have.
    told: Option<Bytes>,
}

/// What is to be done about what a peer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// The application is asked: there are parts, or it knows nothing of the group.
    Judge,
    /// The peer is told what it lacks.
    Answer,
    /// It says what was known.
    Nothing,
}

/// Why nothing is known of what a peer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It, or all peers together, began too many groups.
    TooMany,
    Invalid,
}

impl From<InvalidPartial> for Refusal {
    fn from(_: InvalidPartial) -> Self {
        Self::Invalid
    }
}

/// What a peer is to be told of a group.
pub(super) struct Word {
    pub(super) message: PartialMessage,
    /// Whether there may be more parts for it.
    pub(super) more: bool,
}

impl Groups {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Notes what a peer says it has.
    pub(super) fn hear(
        &mut self,
        params: &PartialParams,
        peer: PeerId,
        said: &PartialMessage,
    ) -> Result<Heard, Refusal> {
        let key = key(said);
        if !self.groups.contains_key(&key) {
            if !self.has_room(params, peer, &said.topic) {
                return Err(Refusal::TooMany);
            }
            let group = Group::new(params, Some(peer));
            self.groups.insert(key.clone(), group);
        }
        let Some(group) = self.groups.get_mut(&key) else {
            return Ok(Heard::Nothing);
        };
        let view = group.peers.entry(peer).or_default();
        let before = view.theirs.clone();
        if let Some(metadata) = &said.metadata {
            view.theirs = Some(match (&group.ours, &before) {
                (Some(ours), Some(theirs)) => ours.merge(theirs, metadata)?,
                // Without the application the newest word stands for all before it.
                _ => metadata.clone(),
            });
        }
        Ok(match (&said.message, &group.ours) {
            (Some(_), _) => Heard::Judge,
            _ if view.theirs == before => Heard::Nothing,
            (None, None) => Heard::Judge,
            (None, Some(_)) => Heard::Answer,
        })
    }

    fn has_room(&self, params: &PartialParams, peer: PeerId, topic: &Topic) -> bool {
        let of_topic = self.of(topic).filter_map(|(_, group)| group.begun_by);
        let (mut all, mut its) = (0, 0);
        for begun_by in of_topic {
            all += 1;
            its += usize::from(begun_by == peer);
        }
        all < params.groups_per_topic && its < params.groups_per_peer
    }

    fn of(&self, topic: &Topic) -> impl Iterator<Item = (&GroupKey, &Group)> {
        let from = (topic.clone(), Bytes::new());
        let all = self.groups.range(from..);
        all.take_while(move |((other, _), _)| other == topic)
    }

    /// This is what we have of a group, unless we had as much before: what came at the same time may be judged in another order.
    /// Whether it is news.
    pub(super) fn update(&mut self, params: &PartialParams, key: &GroupKey, ours: Arc<dyn Partial>) -> bool {
        let new = || Group::new(params, None);
        let group = self.groups.entry(key.clone()).or_insert_with(new);
        group.begun_by = None;
        let before = group.ours.as_ref().map(|before| before.metadata());
        let is_old = before.is_some_and(|before| {
            let both = ours.merge(&before, &ours.metadata());
            both.is_ok_and(|both| both == before)
        });
        if !is_old {
            group.ours = Some(ours);
            group.heartbeats = params.group_heartbeats;
        }
        !is_old
    }

    /// A peer sent us parts: it has them, and knows that we have them.
    pub(super) fn got(&mut self, key: &GroupKey, peer: PeerId, parts: &[u8]) -> Result<(), InvalidPartial> {
        let Some(group) = self.groups.get_mut(key) else {
            return Ok(());
        };
        let (Some(ours), Some(view)) = (&group.ours, group.peers.get_mut(&peer)) else {
            return Ok(());
        };
        let parts = ours.metadata_of(parts)?;
        let theirs = merged(&**ours, view.theirs.as_ref(), &parts)?;
        if let Some(told) = &view.told {
            view.told = Some(ours.merge(told, &parts)?);
        }
        view.theirs = Some(theirs);
        Ok(())
    }

    /// What a peer is to be told of a group now: parts if it wants them, and which we have if it does not know.
    pub(super) fn word(
        &mut self,
        key: &GroupKey,
        peer: PeerId,
        room: Option<usize>,
    ) -> Result<Option<Word>, InvalidPartial> {
        let Some(group) = self.groups.get_mut(key) else {
            return Ok(None);
        };
        let Some(ours) = &group.ours else { return Ok(None) };
        let word = group.peers.entry(peer).or_default().word(&**ours, key, room);
        if word.is_err() {
            // What it said is none, and need not be said again.
            group.peers.remove(&peer);
        }
        word
    }

    /// The peers that know of a group, or are known to.
    pub(super) fn peers(&self, key: &GroupKey) -> impl Iterator<Item = PeerId> {
        let group = self.groups.get(key);
        group.into_iter().flat_map(|group| group.peers.keys().copied())
    }

    /// The groups of a topic that we have something of and a peer was told nothing of.
    pub(super) fn untold(&self, topic: &Topic, peer: &PeerId) -> Vec<GroupKey> {
        let is_told = |group: &Group| group.peers.get(peer).is_some_and(|view| view.told.is_some());
        let untold = self
            .of(topic)
            .filter(|(_, group)| group.ours.is_some() && !is_told(group));
        untold.map(|(key, _)| key.clone()).collect()
    }

    /// What a peer was told is void.
    pub(super) fn lost(&mut self, peer: &PeerId) {
        self.change(peer, |view| view.told = None);
    }

    /// What a peer said is void.
    pub(super) fn void(&mut self, peer: &PeerId) {
        self.change(peer, |view| view.theirs = None);
    }

    fn change(&mut self, peer: &PeerId, change: impl Fn(&mut View)) {
        for group in self.groups.values_mut() {
            if let Some(view) = group.peers.get_mut(peer) {
                change(view);
                if view.theirs.is_none() && view.told.is_none() {
                    group.peers.remove(peer);
                }
            }
        }
    }

    /// A heartbeat is over.
    pub(super) fn tick(&mut self) {
        self.groups.retain(|_, group| {
            group.heartbeats = group.heartbeats.saturating_sub(1);
            group.heartbeats > 0
        });
    }
}

impl Group {
    fn new(params: &PartialParams, begun_by: Option<PeerId>) -> Self {
        Self {
            ours: None,
            begun_by,
            heartbeats: params.group_heartbeats,
            peers: BTreeMap::new(),
        }
    }
}

impl View {
    fn word(
        &mut self,
        ours: &dyn Partial,
        (topic, group): &GroupKey,
        room: Option<usize>,
    ) -> Result<Option<Word>, InvalidPartial> {
        let theirs = self.theirs.as_deref();
        let parts = match room {
            Some(room) => ours.parts_for(theirs, room)?.filter(|parts| parts.len() <= room),
            None => None,
        };
        let mut more = false;
        if let Some(parts) = &parts {
            let sent = ours.metadata_of(parts)?;
            let theirs = Some(merged(ours, self.theirs.as_ref(), &sent)?);
            more = theirs != self.theirs;
            self.theirs = theirs;
        }
        // Also what it could tell from the parts: rust takes no parts of who did not say that it has them.
        let metadata = ours.metadata();
        let told = merged(ours, self.told.as_ref(), &metadata)?;
        let is_known = self.told.as_ref() == Some(&told);
        self.told = Some(told);
        let metadata = Some(metadata).filter(|metadata| !is_known && metadata.len() <= MAX_METADATA);
        if parts.is_none() && metadata.is_none() {
            return Ok(None);
        }
        let message = PartialMessage {
            topic: topic.clone(),
            group: group.clone(),
            message: parts,
            metadata,
        };
        Ok(Some(Word { message, more }))
    }
}

/// Which group is spoken of.
pub(super) fn key(said: &PartialMessage) -> GroupKey {
    (said.topic.clone(), said.group.clone())
}

fn merged(ours: &dyn Partial, known: Option<&Bytes>, said: &Bytes) -> Result<Bytes, InvalidPartial> {
    match known {
        Some(known) => ours.merge(known, said),
        None => Ok(said.clone()),
    }
}
