//! Partial messages: large messages of which peers send each other the parts that are lacking. Experimental: as go-libp2p and
//! rust-libp2p have them (extension 10 of gossipsub 1.3), the specification does not.
//!
//! All parts of one message are a *group*. Of each group peers tell each other by *metadata* which parts they have and which
//! they want, and send what the other lacks. What metadata and encoded parts look like is the application's: see [`Partial`].

use crate::{ParamsError, Topic};
use bytes::Bytes;
use sinew_floodsub::PartialMessage;
use sinew_identity::PeerId;
use sinew_machine::{Blame, Culpable};
use std::{collections::BTreeMap, fmt};
use thiserror::Error;

/// What an application has of one message that goes in parts, as it is at one moment. Experimental.
///
/// It is called while gossipsub decides, and has to be quick. Metadata and parts come from peers: nothing is known of them.
pub trait Partial: fmt::Debug + Send + Sync + 'static {
    /// Which parts it has and which it wants, as peers are told; at most [`MAX_METADATA`](crate::MAX_METADATA) bytes.
    fn metadata(&self) -> Bytes;

    /// What is known of somebody of whom `known` was known and who now says `said`. What says nothing new must change nothing.
    ///
    /// # Errors
    /// [`InvalidPartial`] when one of them is no metadata.
    fn merge(&self, known: &[u8], said: &[u8]) -> Result<Bytes, InvalidPartial>;

    /// The metadata of who has nothing but these encoded parts.
    ///
    /// # Errors
    /// [`InvalidPartial`] when they are no parts.
    fn metadata_of(&self, parts: &[u8]) -> Result<Bytes, InvalidPartial>;

    /// Parts that a peer of whom `theirs` is known lacks, encoded in at most `room` bytes: it is asked again for those that
    /// found no room. `None` if there are none. A peer that has said nothing yet may be sent parts on the chance that it lacks
    /// them.
    ///
    /// # Errors
    /// [`InvalidPartial`] when `theirs` is no metadata.
    fn parts_for(&self, theirs: Option<&[u8]>, room: usize) -> Result<Option<Bytes>, InvalidPartial>;
}

/// Two are the same if they have the same parts.
impl PartialEq for dyn Partial {
    fn eq(&self, other: &Self) -> bool {
        self.metadata() == other.metadata()
    }
}

impl Eq for dyn Partial {}

/// Parts or metadata are not what the application expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the parts of a message, or its metadata, are malformed")]
pub struct InvalidPartial;

impl Culpable for InvalidPartial {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// What a peer says of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceivedPartial {
    /// Who sent it.
    pub peer: PeerId,
    /// The topic, the group, and the parts or the metadata or both.
    pub partial: PartialMessage,
}

/// How partial messages are exchanged. Experimental.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PartialParams {
    /// The topics in which they are; in no others.
    pub topics: BTreeMap<Topic, PartialMode>,
    /// Groups of one topic that one peer may begin before we have anything of them: 8, as in go.
    pub groups_per_peer: usize,
    /// Groups of one topic that all peers together may begin so: 255, as in go.
    pub groups_per_topic: usize,
    /// Heartbeats for which a group is known after we last had more of it than before: 5, as in rust.
    pub group_heartbeats: u32,
    /// The most bytes of parts in one RPC: 512 KiB. A part that is longer is never sent.
    pub max_parts: usize,
}

/// What parts of a topic are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartialMode {
    /// Peers are asked for parts, in place of whole messages (`requestsPartial`), and are sent parts.
    Request,
    /// Peers that ask for parts are sent parts (`supportsSendingPartial`); we are sent whole messages.
    Send,
}

impl Default for PartialParams {
    fn default() -> Self {
        Self {
            topics: BTreeMap::new(),
            groups_per_peer: 8,
            groups_per_topic: 255,
            group_heartbeats: 5,
            max_parts: 512 << 10,
        }
    }
}

impl PartialParams {
    pub(crate) fn check(&self) -> Result<(), ParamsError> {
        let nonzero = [
            ("groups_per_peer", self.groups_per_peer),
            ("groups_per_topic", self.groups_per_topic),
            ("max_parts", self.max_parts),
            ("group_heartbeats", self.group_heartbeats as usize),
        ];
        match nonzero.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(ParamsError::Zero(name)),
            None => Ok(()),
        }
    }
}
