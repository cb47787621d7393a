//! Two machines against each other under random operations, with a model of what every stream must deliver.

use super::rig::WINDOW;
use bytes::{Buf, Bytes};
use proptest::prelude::*;
use sinew_machine::{CloseCode, Instant};
use sinew_yamux::{
    Config,
    machine::{Batch, Connection, Side, StreamError, Unbounded},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    task::Poll,
    time::Duration,
};

/// What one side can be told to do; the numbers choose a stream among those it knows, a length, a time.
#[derive(Clone, Debug)]
enum Op {
    Open,
    Accept,
    Write(usize, usize),
    Read(usize, usize),
    Finish(usize),
    Stop(usize),
    Reset(usize, u32),
    Release(usize),
    /// Moves at most so many bytes to the other side, in pieces of the second length.
    Move(usize, usize),
    Pass(u64),
    Compact,
}

fn op() -> impl Strategy<Value = Op> {
    let stream = 0usize..8;
    prop_oneof![
        2 => Just(Op::Open),
        2 => Just(Op::Accept),
        6 => (stream.clone(), 0usize..200_000).prop_map(|(s, n)| Op::Write(s, n)),
        8 => (stream.clone(), 1usize..200_000).prop_map(|(s, n)| Op::Read(s, n)),
        1 => stream.clone().prop_map(Op::Finish),
        1 => stream.clone().prop_map(Op::Stop),
        1 => (stream.clone(), any::<u32>()).prop_map(|(s, c)| Op::Reset(s, c)),
        1 => stream.prop_map(Op::Release),
        8 => (1usize..400_000, 1usize..70_000).prop_map(|(n, p)| Op::Move(n, p)),
        1 => (0u64..50).prop_map(Op::Pass),
        1 => Just(Op::Compact),
    ]
}

/// One direction of one stream, as the model sees it.
#[derive(Default, Debug)]
struct Flow {
    written: usize,
    read: usize,
    finished: bool,
}

/// Tells those who wait to write from those who wait to read.
const WRITES: u32 = 1 << 31;

struct Peer {
    machine: Connection<u32>,
    known: Vec<u32>,
    /// Streams whose writers wait.
    waiting: BTreeSet<u32>,
    batch: Batch,
    reset: BTreeMap<u32, CloseCode>,
}

struct Pair {
    peers: [Peer; 2],
    /// By stream and by the side that writes.
    flows: BTreeMap<(u32, usize), Flow>,
    now: Instant,
}

/// The byte that stands at `at` of what `side` writes on `stream`.
fn byte(stream: u32, side: usize, at: usize) -> u8 {
    (at * 7 + at / 253 + stream as usize * 3 + side) as u8
}

impl Pair {
    fn new() -> Self {
        let peer = |side| Peer {
            machine: Connection::new(Config::default(), side, Instant::ZERO, Box::new(Unbounded)),
            known: Vec::new(),
            waiting: BTreeSet::new(),
            batch: Batch::default(),
            reset: BTreeMap::new(),
        };
        Self {
            peers: [peer(Side::Client), peer(Side::Server)],
            flows: BTreeMap::new(),
            now: Instant::ZERO,
        }
    }

    fn pick(&self, side: usize, number: usize) -> Option<u32> {
        let known = &self.peers[side].known;
        (!known.is_empty()).then(|| known[number % known.len()])
    }

    fn apply(&mut self, side: usize, op: &Op) {
        match *op {
            Op::Open => {
                if let Poll::Ready(opened) = self.peers[side].machine.open(self.now, &mut None, || 0) {
                    self.peers[side].known.push(opened.expect("the connection lives"));
                }
            }
            Op::Accept => {
                if let Poll::Ready(accepted) = self.peers[side].machine.accept(|| 0) {
                    self.peers[side]
                        .known
                        .push(accepted.expect("the connection lives"));
                }
            }
            Op::Move(bytes, piece) => self.carry(side, bytes, piece),
            Op::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.peers
                    .iter_mut()
                    .for_each(|peer| peer.machine.handle_timeout(self.now));
            }
            Op::Compact => self.peers[side].machine.compact(),
            Op::Write(n, len) => drop(self.pick(side, n).map(|id| self.write(side, id, len))),
            Op::Read(n, max) => drop(self.pick(side, n).map(|id| self.read(side, id, max))),
            Op::Finish(n) => {
                if let Some(id) = self.pick(side, n)
                    && self.peers[side].machine.finish(id).is_ok()
                {
                    self.flows.entry((id, side)).or_default().finished = true;
                    self.peers[side].waiting.remove(&id);
                }
            }
            Op::Stop(n) => {
                if let Some(id) = self.pick(side, n) {
                    self.peers[side].machine.stop(id);
                    self.flows.entry((id, 1 - side)).or_default().read = usize::MAX;
                }
            }
            Op::Reset(n, code) => {
                if let Some(id) = self.pick(side, n) {
                    self.peers[side].machine.reset(self.now, id, CloseCode(code));
                    self.peers[side].reset.entry(id).or_insert(CloseCode(code));
                }
            }
            Op::Release(n) => {
                if let Some(id) = self.pick(side, n) {
                    self.peers[side].machine.release(self.now, id);
                    self.peers[side].known.retain(|known| *known != id);
                    self.peers[side].waiting.remove(&id);
                    self.peers[side].reset.entry(id).or_insert(CloseCode::NONE);
                }
            }
        }
    }

    fn write(&mut self, side: usize, id: u32, len: usize) {
        let flow = self.flows.entry((id, side)).or_default();
        let bytes: Vec<u8> = (flow.written..flow.written + len)
            .map(|at| byte(id, side, at))
            .collect();
        let machine = &mut self.peers[side].machine;
        let written = if len.is_multiple_of(2) {
            machine.write(id, &mut Bytes::from(bytes), || id | WRITES)
        } else {
            machine.write_slice(id, &bytes, || id | WRITES)
        };
        let waiting = &mut self.peers[side].waiting;
        if written.is_pending() {
            waiting.insert(id);
        } else {
            waiting.remove(&id);
        }
        match written {
            Poll::Ready(Ok(count)) => {
                assert!(!flow.finished, "nothing is taken after the end");
                flow.written += count;
            }
            Poll::Ready(Err(StreamError::Finished)) => assert!(flow.finished),
            Poll::Ready(Err(StreamError::Reset(code) | StreamError::Abandoned(code))) => {
                self.check_reset(side, id, code);
            }
            Poll::Ready(Err(StreamError::Ended(end))) => panic!("{end:?}"),
            Poll::Pending => {}
        }
    }

    fn read(&mut self, side: usize, id: u32, max: usize) {
        let flow = self.flows.entry((id, 1 - side)).or_default();
        match self.peers[side].machine.read(self.now, id, max, || id) {
            Poll::Ready(Ok(Some(bytes))) => {
                assert!(!bytes.is_empty() && bytes.len() <= max);
                for got in bytes {
                    assert_eq!(
                        got,
                        byte(id, 1 - side, flow.read),
                        "byte {} of stream {id}",
                        flow.read
                    );
                    flow.read += 1;
                }
                assert!(flow.read <= flow.written);
            }
            Poll::Ready(Ok(None)) => {
                assert!(
                    flow.read == usize::MAX || (flow.finished && flow.read == flow.written),
                    "{flow:?}"
                );
            }
            Poll::Ready(Err(StreamError::Reset(code) | StreamError::Abandoned(code))) => {
                self.check_reset(side, id, code);
            }
            Poll::Ready(Err(error)) => panic!("{error:?}"),
            Poll::Pending => {}
        }
    }

    fn check_reset(&self, side: usize, id: u32, code: CloseCode) {
        let codes = [
            self.peers[side].reset.get(&id),
            self.peers[1 - side].reset.get(&id),
        ];
        assert!(
            codes.contains(&Some(&code)),
            "stream {id}: {code} is nobody's, {codes:?}"
        );
    }

    /// A connection that holds all that it may is read while somebody waits to write, and then only.
    fn check_share(&mut self) {
        for Peer { machine, waiting, .. } in &mut self.peers {
            let mut woken = Vec::new();
            machine.take_woken(&mut woken);
            woken
                .iter()
                .for_each(|waiter| _ = waiting.remove(&(waiter ^ WRITES)));
            let few = (1..WINDOW as usize).contains(&machine.unread().uncovered);
            machine.allow_unread(self.now, 1);
            assert!(
                !few || machine.wants_read() != waiting.is_empty(),
                "who waits: {waiting:?}"
            );
            machine.allow_unread(self.now, usize::MAX);
        }
    }

    /// Moves bytes from `side` to the other, as a socket would.
    fn carry(&mut self, side: usize, bytes: usize, piece: usize) {
        let mut left = bytes;
        while left > 0 && self.peers[1 - side].machine.wants_read() {
            let Peer { machine, batch, .. } = &mut self.peers[side];
            if !batch.has_remaining() {
                machine.transmit(self.now, 128 << 10, batch);
            }
            if !batch.has_remaining() {
                return;
            }
            let count = piece.min(left).min(batch.remaining());
            let moved = batch.copy_to_bytes(count);
            machine.written(count);
            left -= count;
            self.peers[1 - side]
                .machine
                .receive(self.now, moved)
                .expect("we break no rule");
        }
    }

    /// Everybody reads until nothing moves any more: then all that was written has arrived.
    fn settle(&mut self) {
        for _ in 0..200 {
            for side in [0, 1] {
                self.carry(side, usize::MAX, 64 << 10);
                while let Poll::Ready(Ok(id)) = self.peers[side].machine.accept(|| 0) {
                    self.peers[side].known.push(id);
                }
                for id in self.peers[side].known.clone() {
                    while self.peers[side].machine.has_unread(id) {
                        self.read(side, id, usize::MAX);
                    }
                }
            }
        }
        for (&(id, writer), flow) in &self.flows {
            let reset = self.peers.iter().any(|peer| peer.reset.contains_key(&id));
            let stopped = flow.read == usize::MAX;
            assert!(
                reset || stopped || flow.read == flow.written,
                "stream {id} of {writer}: {flow:?}"
            );
        }
        for peer in &self.peers {
            assert_eq!((peer.machine.end(), peer.machine.unread().total), (None, 0));
        }
    }

    /// Everybody leaves: nothing is left behind.
    fn release_all(&mut self) {
        for side in [0, 1] {
            for id in std::mem::take(&mut self.peers[side].known) {
                self.peers[side].machine.release(self.now, id);
            }
        }
        for _ in 0..2 {
            (0..2).for_each(|side| self.carry(side, usize::MAX, 64 << 10));
        }
        self.apply(0, &Op::Pass(31_000));
        for _ in 0..2 {
            (0..2).for_each(|side| self.carry(side, usize::MAX, 64 << 10));
        }
        for peer in &self.peers {
            assert_eq!(peer.machine.stream_count(), 0, "{:?}", peer.machine);
            assert!(
                peer.machine.budget() > 900,
                "honest peers cost little: {}",
                peer.machine.budget()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn streams_deliver_what_was_written(ops in proptest::collection::vec((0usize..2, op()), 0..200)) {
        let mut pair = Pair::new();
        for (side, op) in &ops {
            pair.apply(*side, op);
            pair.check_share();
        }
        pair.settle();
        pair.release_all();
    }
}
