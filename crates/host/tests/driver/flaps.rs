//! Random flaps: whatever connections do, each machine hears a story that holds together.

use crate::toy::{FRAMES, Happened, Node};
use bytes::Bytes;
use sinew_core::PeerId;
use sinew_machine::{Input, Instant, Rng, StreamInput, StreamKey, Token};
use sinew_runtime::sleep;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What is known of a stream.
#[derive(Debug)]
struct Known {
    peer: PeerId,
    inbound: bool,
    opened: Instant,
    messages: u32,
    is_over: bool,
}

/// Reads what happened to a machine, and checks that it may happen in that order.
#[derive(Default)]
struct Story {
    streams: BTreeMap<StreamKey, Known>,
    tokens: BTreeSet<Token>,
    connected: BTreeSet<PeerId>,
}

impl Story {
    fn of(node: &Node) -> Self {
        let mut story = Self::default();
        let log = node.log.lock().expect("nobody panics");
        log.iter().for_each(|(at, input)| story.tell(*at, input));
        story
    }

    fn tell(&mut self, at: Instant, input: &Happened) {
        match input {
            Input::Peer(state) if state.connected => drop(self.connected.insert(state.peer)),
            Input::Peer(state) => drop(self.connected.remove(&state.peer)),
            Input::Stream(input) => self.stream(at, input),
            _ => {}
        }
    }

    fn stream(&mut self, at: Instant, input: &StreamInput<Bytes>) {
        match input {
            StreamInput::Opened {
                stream, peer, token, ..
            } => {
                let known = Known {
                    peer: *peer,
                    inbound: token.is_none(),
                    opened: at,
                    messages: 0,
                    is_over: false,
                };
                assert!(self.streams.insert(*stream, known).is_none(), "{stream:?} is new");
                token.iter().for_each(|token| self.ended(*token));
            }
            StreamInput::OpenFailed { token, .. } => self.ended(*token),
            StreamInput::Message { stream, message } => {
                let known = self.open(*stream);
                assert!(known.inbound);
                assert_eq!(at, known.opened, "everybody writes and reads at once");
                assert_eq!(
                    message[..],
                    known.messages.to_be_bytes(),
                    "in order, without a gap"
                );
                known.messages += 1;
            }
            StreamInput::Writable { stream } => {
                let known = self.open(*stream);
                assert!(!known.inbound);
                assert_eq!(at, known.opened, "there is room at once");
                known.messages += 1;
            }
            StreamInput::Malformed { stream } => panic!("what came over {stream:?} was a frame"),
            StreamInput::Closed { stream } => self.open(*stream).is_over = true,
        }
    }

    fn open(&mut self, stream: StreamKey) -> &mut Known {
        let known = self.streams.get_mut(&stream).expect("was opened");
        assert!(!known.is_over, "nothing comes after the end of {stream:?}");
        known
    }

    fn ended(&mut self, token: Token) {
        assert!(self.tokens.insert(token), "{token:?} ends once");
    }

    /// The streams that have not ended, by peer, and how far each came.
    fn alive(&self, inbound: bool) -> BTreeMap<PeerId, Vec<u32>> {
        let mut alive: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let streams = self.streams.values();
        for known in streams.filter(|known| !known.is_over && known.inbound == inbound) {
            alive.entry(known.peer).or_default().push(known.messages);
        }
        alive
    }
}

async fn flap(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut nodes = Vec::new();
    for _ in 0..4 {
        nodes.push(Node::that_talks().await);
    }
    for _ in 0..60 {
        let (one, other) = (&nodes[rng.below(4)], &nodes[rng.below(4)]);
        match rng.below(3) {
            _ if one.peer() == other.peer() => {}
            0 => drop(one.host.disconnect(&other.peer())),
            // Also where there is one already. It may be cut in the middle.
            _ => {
                let connecting = one.host.connect(other.addr.clone());
                drop(sinew_runtime::timeout(Duration::from_millis(5), connecting).await);
            }
        }
        if rng.below(2) == 0 {
            sleep(Duration::from_millis(rng.below(700) as u64)).await;
        }
    }
    sleep(Duration::from_secs(30)).await;
    for node in &nodes {
        let story = Story::of(node);
        let connected: BTreeSet<_> = node.host.peers().into_iter().collect();
        assert_eq!(
            story.connected, connected,
            "seed {seed}: the newest snapshot is how it is"
        );
        for inbound in [false, true] {
            let alive = story.alive(inbound);
            let peers: BTreeSet<_> = alive.keys().copied().collect();
            assert_eq!(
                peers, connected,
                "seed {seed}: a stream to each peer and from it, and no other"
            );
            let whole = alive.values().all(|streams| *streams == [FRAMES]);
            assert!(whole, "seed {seed}: one each, and all was said: {alive:?}");
        }
    }
    for node in &nodes {
        node.host.shutdown(Duration::from_secs(5)).await;
    }
    for node in &nodes {
        let story = Story::of(node);
        assert!(
            story.streams.len() < 500,
            "seed {seed}: nobody tries without a pause"
        );
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "seed {seed}: no task is left");
}

#[tokio::test(start_paused = true)]
async fn whatever_connections_do_each_machine_hears_a_story_that_holds_together() {
    for seed in 0..30 {
        flap(seed).await;
    }
}
