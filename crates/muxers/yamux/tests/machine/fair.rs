//! One stream with more to send than the connection takes, and many with little.

use super::rig::{ACK, FIN, Frame, Rig, WINDOW, parse, update};
use bytes::Buf;
use sinew_machine::CloseCode;
use sinew_yamux::machine::{Batch, Flags, Kind, Side};
use std::collections::BTreeMap;

/// What leaves in one turn of the driver.
const BATCH: usize = 128 << 10;

/// Requests at a time.
const SMALL: usize = 100;

/// A client whose socket takes one batch a turn, and a remote that reads all of it at once.
struct Busy {
    rig: Rig,
    batch: Batch,
    bulk: u32,
    turn: usize,
    bulk_bytes: usize,
    /// Requests that were not written in whole yet, and since which turn.
    asking: BTreeMap<u32, usize>,
    /// Requests of which the remote has not heard the end yet.
    waiting: BTreeMap<u32, usize>,
    /// How many turns each request took.
    took: Vec<usize>,
}

impl Busy {
    fn new() -> Self {
        let mut rig = Rig::new(Side::Client);
        let bulk = rig.open();
        Self {
            rig,
            batch: Batch::default(),
            bulk,
            turn: 0,
            bulk_bytes: 0,
            asking: BTreeMap::new(),
            waiting: BTreeMap::new(),
            took: Vec::new(),
        }
    }

    /// The bulk stream writes what is taken, before all others; then each request does.
    fn write(&mut self) {
        self.rig.write(self.bulk, &vec![1; 1 << 20]);
        while self.asking.len() + self.waiting.len() < SMALL {
            self.asking.insert(self.rig.open(), self.turn);
        }
        for (id, since) in std::mem::take(&mut self.asking) {
            if self.rig.write(id, &[2; 40]) == 40 {
                self.rig.machine.finish(id).expect("it is open");
                self.waiting.insert(id, since);
            } else {
                self.asking.insert(id, since);
            }
        }
    }

    fn send(&mut self) {
        self.turn += 1;
        self.rig.machine.transmit(self.rig.now, BATCH, &mut self.batch);
        let sent = self.batch.copy_to_bytes(self.batch.remaining());
        self.rig.machine.written(sent.len());
        parse(sent).into_iter().for_each(|frame| self.hear(&frame));
    }

    /// The remote gives the bulk stream its credit back, and ends what has ended.
    fn hear(&mut self, frame: &Frame) {
        let header = frame.header;
        let (id, first) = (header.stream, header.flags.has(Flags::SYN));
        if id == self.bulk && header.kind == Kind::Data {
            self.bulk_bytes += frame.body.len();
            let ack = if first { ACK } else { 0 };
            self.rig.take([update(ack, id, header.length)]);
        } else if header.flags.has(Flags::FIN) {
            let since = self.waiting.remove(&id).expect("it was asked");
            self.took.push(self.turn - since);
            self.rig.take([update(ACK | FIN, id, 0)]);
            self.rig.machine.release(self.rig.now, id);
        }
    }
}

#[test]
fn a_bulk_stream_does_not_starve_small_ones_nor_they_it() {
    let mut busy = Busy::new();
    for _ in 0..200 {
        busy.write();
        busy.send();
    }
    let longest = busy.took.iter().max();
    assert!(longest <= Some(&2), "a request waited for {longest:?} batches");
    assert!(busy.took.len() >= 200 * SMALL / 2, "{} requests", busy.took.len());
    let share = busy.bulk_bytes * 100 / (200 * BATCH);
    assert!(share >= 80, "the bulk stream has {share} % of what leaves");
    busy.rig.machine.reset(busy.rig.now, busy.bulk, CloseCode::NONE);
    assert_eq!(busy.rig.machine.end(), None);
    assert!(
        WINDOW as usize > BATCH,
        "credit is not what the bulk stream waits for"
    );
}
