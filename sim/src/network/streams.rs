//! Streams over connections: one side writes, the other reads.

use super::{Event, Network, World};
use bytes::Bytes;
use sinew_identity::PeerId;
use sinew_machine::{CloseCode, Failure, PeerMachine, StreamInput, StreamKey, Token};
use std::time::Duration;

pub(super) struct Stream {
    edge: usize,
    token: Token,
    writer: End,
    reader: End,
}

/// A stream as one of its nodes has it.
#[derive(Clone, Copy)]
struct End {
    node: usize,
    protocol: usize,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Coming,
    Open,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Writer,
    Reader,
}

impl Stream {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Writer => &mut self.writer,
            Side::Reader => &mut self.reader,
        }
    }

    fn other(&self, node: usize) -> usize {
        if node == self.writer.node {
            self.reader.node
        } else {
            self.writer.node
        }
    }
}

impl<M: PeerMachine, W: World<M>> Network<M, W> {
    pub(super) fn open(&mut self, node: usize, token: Token, peer: PeerId) {
        let other = self.by_peer.get(&peer).copied();
        let edge = other.and_then(|other| self.nodes[node].edges.get(&other).copied());
        let (Some(other), Some(edge)) = (other, edge.filter(|edge| self.edges[*edge].is_up)) else {
            return self.refuse(node, token, Duration::ZERO, Failure::Failed);
        };
        let latency = self.edges[edge].latency;
        let Some((ours, theirs)) = self.world.agree(node, other) else {
            return self.refuse(node, token, latency * 2, Failure::Unsupported);
        };
        let end = |node, protocol| End {
            node,
            protocol,
            phase: Phase::Coming,
        };
        let stream = self.streams.len();
        self.streams.push(Stream {
            edge,
            token,
            writer: end(node, ours),
            reader: end(other, theirs),
        });
        self.edges[edge].streams.push(stream);
        let side = Side::Reader;
        self.plan(latency, Event::Opened { stream, side });
    }

    fn refuse(&mut self, node: usize, token: Token, after: Duration, failure: Failure) {
        let life = self.nodes[node].life;
        let failed = Event::OpenFailed {
            node,
            life,
            token,
            failure,
        };
        self.plan(after, failed);
    }

    /// A stream was opened: the reader knows it first, and the writer when it has the answer.
    pub(super) fn opened(&mut self, stream: usize, side: Side) {
        let state = &mut self.streams[stream];
        let (edge, token) = (state.edge, state.token);
        let end = *state.end(side);
        // While the other cannot be reached there is no answer; the connection will be lost.
        if end.phase != Phase::Coming || !self.is_passable(edge) {
            return;
        }
        let state = &mut self.streams[stream];
        state.end(side).phase = Phase::Open;
        let peer = self.nodes[state.other(end.node)].peer;
        if side == Side::Reader {
            let side = Side::Writer;
            self.plan(self.edges[edge].latency, Event::Opened { stream, side });
        }
        let opened = StreamInput::Opened {
            stream: Self::key(stream),
            peer,
            protocol: end.protocol,
            token: (side == Side::Writer).then_some(token),
        };
        self.trace.word(stream as u64);
        self.stream_input(end.node, opened);
    }

    pub(super) fn send(&mut self, stream: StreamKey, frame: Bytes) {
        let stream = place(stream);
        let Stream { edge, writer, .. } = self.streams[stream];
        if writer.phase != Phase::Open {
            return;
        }
        let node = &mut self.nodes[writer.node];
        let leaves = Duration::from_nanos(node.nanos_per_byte * frame.len() as u64);
        node.sent = node.sent.max(self.now) + leaves;
        let left = node.sent;
        self.queue.push(left, Event::Writable(stream));
        let arrives = left + self.edges[edge].latency;
        self.queue.push(arrives, Event::Frame { stream, frame });
    }

    pub(super) fn frame(&mut self, stream: usize, frame: &Bytes) {
        let Stream {
            edge, writer, reader, ..
        } = self.streams[stream];
        if reader.phase != Phase::Open || !self.is_passable(edge) {
            return;
        }
        self.trace.word(stream as u64);
        self.trace.bytes(frame);
        let between = (writer.node, reader.node);
        let message = self.world.decode(self.now, between, frame);
        let stream = Self::key(stream);
        let Some(message) = message else {
            self.stream_input(reader.node, StreamInput::Malformed { stream });
            return self.reset(
                reader.node,
                stream,
                sinew_machine::code::stream::PROTOCOL_VIOLATION,
            );
        };
        self.stream_input(reader.node, StreamInput::Message { stream, message });
    }

    pub(super) fn writable(&mut self, stream: usize) {
        let writer = self.streams[stream].writer;
        if writer.phase == Phase::Open {
            self.trace.word(stream as u64);
            let stream = Self::key(stream);
            self.stream_input(writer.node, StreamInput::Writable { stream });
        }
    }

    /// A node resets a stream: it hears of it at once, the other side later.
    pub(super) fn reset(&mut self, node: usize, stream: StreamKey, code: CloseCode) {
        let stream = place(stream);
        let state = &self.streams[stream];
        let (ours, theirs) = if node == state.writer.node {
            (Side::Writer, Side::Reader)
        } else {
            (Side::Reader, Side::Writer)
        };
        let latency = self.edges[state.edge].latency;
        self.world.reset(node, state.other(node), code);
        self.plan(Duration::ZERO, Event::Closed { stream, side: ours });
        self.plan(latency, Event::Closed { stream, side: theirs });
    }

    /// One side of a stream is no more.
    pub(super) fn close(&mut self, stream: usize, side: Side) {
        let token = self.streams[stream].token;
        let end = self.streams[stream].end(side);
        let (node, before) = (end.node, end.phase);
        end.phase = Phase::Closed;
        let Stream {
            edge, writer, reader, ..
        } = self.streams[stream];
        if writer.phase == Phase::Closed && reader.phase == Phase::Closed {
            self.edges[edge].streams.retain(|other| *other != stream);
        }
        self.trace.word(stream as u64);
        match (before, side) {
            (Phase::Coming, Side::Writer) => {
                let failure = Failure::Failed;
                self.stream_input(node, StreamInput::OpenFailed { token, failure });
            }
            (Phase::Open, _) => {
                let stream = Self::key(stream);
                self.stream_input(node, StreamInput::Closed { stream });
            }
            _ => {}
        }
    }

    /// The connection is lost, and so are its streams.
    pub(super) fn close_all(&mut self, edge: usize) {
        for stream in std::mem::take(&mut self.edges[edge].streams) {
            self.close(stream, Side::Writer);
            self.close(stream, Side::Reader);
        }
    }
}

fn place(stream: StreamKey) -> usize {
    usize::try_from(stream.0).expect("a place in a list")
}
