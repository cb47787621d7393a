//! Nodes that misuse the protocol. They have streams like everybody, and say what harms others.

use crate::{
    actor::Actor,
    message::{forged, message},
    scenario::Behaviour,
};
use bytes::Bytes;
use sinew_floodsub::{Control, IHave, LinkEvent, Links, Message, MessageId, Rpc, SubOpts, Topic};
use sinew_gossipsub::Reply;
use sinew_identity::PeerId;
use sinew_machine::{Effect, EffectsOf, Input, InputOf, Instant, Rng};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

/// Frames that wait for one victim; more are not made.
const MAX_QUEUED: usize = 64;

/// Made up messages for each victim at a time.
const MESSAGES: usize = 10;

/// Announcements for each victim at a time: more than anybody follows up within a heartbeat.
const ANNOUNCEMENTS: usize = 20;

/// Ids of an announcement.
const IDS: usize = 100;

/// Ids that are asked for again and again.
const MAX_KNOWN: usize = 100;

/// The data of made up messages.
const BYTES: usize = 512;

/// A node that misuses the protocol.
pub(crate) struct Attacker {
    behaviour: Behaviour,
    local: PeerId,
    topic: Topic,
    every: Duration,
    next: Instant,
    rng: Rng,
    links: Links<VecDeque<Bytes>>,
    /// The newest messages that it heard of.
    known: VecDeque<MessageId>,
    twinned: BTreeSet<MessageId>,
}

type Effects = EffectsOf<Actor>;

impl Attacker {
    /// One that acts every so often.
    #[must_use]
    pub(crate) fn new(behaviour: Behaviour, local: PeerId, topic: Topic, every: Duration, seed: u64) -> Self {
        Self {
            behaviour,
            local,
            topic,
            every,
            next: Instant::ZERO,
            rng: Rng::new(seed),
            links: Links::default(),
            known: VecDeque::new(),
            twinned: BTreeSet::new(),
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.links
            .deadline()
            .map_or(self.next, |retry| retry.min(self.next))
    }

    pub(crate) fn handle(&mut self, now: Instant, input: InputOf<Actor>, out: &mut Effects) {
        match input {
            Input::Timeout => self.links.retry(now, out),
            Input::Call { call, .. } => out.push(Effect::Return {
                call,
                reply: Reply::Done,
            }),
            Input::Peer(state) => {
                self.links.peer(&state, VecDeque::new, out);
                self.links.forget(state.peer);
            }
            Input::Stream(input) => {
                let event = self.links.stream(now, input, VecDeque::new, out);
                event.into_iter().for_each(|event| self.link(event, out));
            }
            Input::Ran { .. } => {}
        }
        if self.next <= now {
            self.next = now + self.every;
            let frames = self.act();
            self.say(&frames, out);
        }
    }

    fn link(&mut self, event: LinkEvent<Rpc>, out: &mut Effects) {
        match event {
            LinkEvent::Opened(peer, _) => {
                let hello = Rpc {
                    subscriptions: vec![SubOpts::new(self.topic.clone(), true)],
                    ..Rpc::default()
                };
                self.queue(&peer, hello.encode(), out);
            }
            LinkEvent::Writable(peer) => self.write(&peer, out),
            LinkEvent::Lost(peer) => {
                if let Some(queue) = self.links.get_mut(&peer) {
                    queue.clear();
                }
                self.links.forget(peer);
            }
            LinkEvent::Void(peer) => {
                self.links.forget(peer);
            }
            LinkEvent::Message(_, rpc) => self.hear(&rpc, out),
            // Nobody is judged here.
            LinkEvent::Malformed(_) => {}
        }
    }

    fn hear(&mut self, rpc: &Rpc, out: &mut Effects) {
        let announced = rpc
            .control
            .ihave
            .iter()
            .flat_map(|ihave| ihave.ids.iter().cloned());
        self.known.extend(announced);
        for message in &rpc.publish {
            let id = MessageId::of(message);
            self.known.push_back(id.clone());
            if self.behaviour == Behaviour::Spam && self.twinned.insert(id) {
                self.say(&[forged(message).rpc()], out);
            }
        }
        let surplus = self.known.len().saturating_sub(MAX_KNOWN);
        self.known.drain(..surplus);
    }

    fn act(&mut self) -> Vec<Bytes> {
        match self.behaviour {
            Behaviour::Sybil => vec![said(Control {
                graft: vec![self.topic.clone()],
                ..Control::default()
            })],
            Behaviour::Spam => (0..MESSAGES).map(|_| self.made_up().rpc()).collect(),
            Behaviour::IhaveFlood => (0..ANNOUNCEMENTS).map(|_| self.announcement()).collect(),
            Behaviour::IwantFlood => vec![said(Control {
                iwant: self.known.iter().cloned().collect(),
                ..Control::default()
            })],
            Behaviour::Gossipsub | Behaviour::Floodsub | Behaviour::Silent => Vec::new(),
        }
    }

    fn made_up(&mut self) -> Message {
        // Above all tags that are used.
        let tag = self.rng.next_u64() | 1 << 63;
        forged(&message(&self.local, tag, &self.topic, BYTES))
    }

    fn announcement(&mut self) -> Bytes {
        let ids = (0..IDS).map(|_| self.rng.next_u64().to_be_bytes().to_vec().into());
        let ihave = IHave {
            topic: self.topic.clone(),
            ids: ids.collect(),
        };
        said(Control {
            ihave: vec![ihave],
            ..Control::default()
        })
    }

    /// To everybody.
    fn say(&mut self, frames: &[Bytes], out: &mut Effects) {
        let peers: Vec<_> = self.links.iter().map(|(peer, _)| *peer).collect();
        for peer in peers {
            for frame in frames {
                self.queue(&peer, frame.clone(), out);
            }
        }
    }

    fn queue(&mut self, peer: &PeerId, frame: Bytes, out: &mut Effects) {
        if self.links.is_reachable(peer)
            && let Some(queue) = self.links.get_mut(peer)
            && queue.len() < MAX_QUEUED
        {
            queue.push_back(frame);
            self.write(peer, out);
        }
    }

    fn write(&mut self, peer: &PeerId, out: &mut Effects) {
        if self.links.is_writable(peer)
            && let Some(frame) = self.links.get_mut(peer).and_then(VecDeque::pop_front)
        {
            self.links.send(peer, frame, out);
        }
    }
}

fn said(control: Control) -> Bytes {
    let rpc = Rpc {
        control,
        ..Rpc::default()
    };
    rpc.encode()
}
