//! Ten minutes of honest peers spend less than a tenth of the budget.

use crate::rig::{ACK, FIN, Frame, RST, Rig, SYN, data, parse, ping, update};
use sinew_yamux::machine::Side;
use std::time::Duration;

/// How the peer's yamux speaks, as its transcripts show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    /// Opens with an empty update, ends with one, returns credit by the half window.
    Go,
    /// As go, and returns credit after every read, after both ends too.
    Js,
    /// Opens with payload, ends with empty data, sometimes twice.
    Rust,
}

/// A peer that opens streams to our server and answers ours.
struct Peer {
    dialect: Dialect,
    rig: Rig,
    next: u32,
    lowest: u64,
}

impl Peer {
    fn new(dialect: Dialect) -> Self {
        let mut peer = Self {
            dialect,
            rig: Rig::new(Side::Server),
            next: 1,
            lowest: 1000,
        };
        peer.hear([ping(SYN, 0)]);
        peer
    }

    fn hear(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.rig.take(frames);
        let asked: Vec<Frame> = parse(self.rig.drain_bytes())
            .into_iter()
            .filter(|frame| frame.header == ping(SYN, frame.header.length).header)
            .collect();
        for question in asked {
            self.rig.take([ping(ACK, question.header.length)]);
        }
        self.lowest = self.lowest.min(self.rig.machine.budget());
    }

    fn id(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// A request of 40 bytes, its negotiation, an answer, the ends.
    fn request(&mut self) {
        let id = self.id();
        match self.dialect {
            Dialect::Rust => self.hear([data(SYN, id, vec![0; 36]), data(0, id, vec![0; 40])]),
            _ => self.hear([
                update(SYN, id, 0),
                data(0, id, vec![0; 36]),
                data(0, id, vec![0; 40]),
            ]),
        }
        self.rig.accept();
        self.rig.read(id).unwrap();
        self.rig.write(id, &[1; 80]);
        self.rig.machine.finish(id).unwrap();
        if self.dialect == Dialect::Rust {
            self.hear([data(FIN, id, ""), data(FIN, id, "")]);
        } else {
            self.hear([update(FIN, id, 0)]);
        }
        self.rig.machine.release(self.rig.now, id);
        if self.dialect == Dialect::Js {
            self.hear([update(0, id, 20), update(0, id, 60)]);
        }
    }

    /// A ping stream that is answered and then reset, as go-libp2p ends them.
    fn ping_stream(&mut self) {
        let id = self.id();
        self.hear([
            update(SYN, id, 0),
            data(0, id, vec![0; 70]),
            data(0, id, vec![0; 32]),
        ]);
        self.rig.accept();
        self.rig.read(id).unwrap();
        self.rig.write(id, &[0; 70]);
        self.hear([]);
        self.hear([update(RST, id, 0)]);
        self.rig.machine.release(self.rig.now, id);
    }

    /// A request that is given up before its answer.
    fn cancelled(&mut self) {
        let id = self.id();
        self.hear([update(SYN, id, 0), data(0, id, vec![0; 70]), update(RST, id, 0)]);
    }
}

#[test]
fn ten_minutes_of_kad_gossipsub_and_ping() {
    for dialect in [Dialect::Go, Dialect::Js, Dialect::Rust] {
        let mut peer = Peer::new(dialect);
        let gossip = peer.id();
        peer.hear([update(SYN, gossip, 0), data(0, gossip, vec![0; 82])]);
        peer.rig.accept();
        for second in 1..=600u32 {
            peer.rig.pass(Duration::from_secs(1));
            // A burst of queries, one in eight given up; gossip; a ping each 15 s; keep-alive each 30 s.
            for query in 0..40 {
                if query % 8 == 7 {
                    peer.cancelled();
                } else {
                    peer.request();
                }
            }
            peer.hear([data(0, gossip, vec![0; 1200])]);
            peer.rig.read(gossip).unwrap();
            if dialect == Dialect::Js {
                peer.hear([update(0, gossip, 1200)]);
            }
            if second % 15 == 0 {
                peer.ping_stream();
            }
            if second % 30 == 0 {
                peer.hear([ping(SYN, second)]);
            }
        }
        assert_eq!(peer.rig.machine.end(), None);
        assert!(peer.lowest > 900, "{dialect:?}: as low as {}", peer.lowest);
        peer.rig.machine.release(peer.rig.now, gossip);
        assert_eq!(peer.rig.machine.stream_count(), 0, "{dialect:?}");
    }
}
