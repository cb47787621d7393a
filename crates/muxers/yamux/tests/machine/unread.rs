//! What lies unread: what it may be, whom it holds up, and whom it costs a stream.

use crate::rig::{ACK, RST, Rig, SYN, WINDOW, data, ping, update};
use bytes::{Buf, Bytes, BytesMut};
use sinew_yamux::{
    Config,
    machine::{Kind, Memory, Side, Unbounded},
};
use std::{collections::VecDeque, task::Poll, time::Duration};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1 << 20;

/// A side that sends no pings of its own.
fn quiet(side: Side) -> Rig {
    let mut config = Config::default();
    config.keep_alive = None;
    Rig::with(side, config, Box::new(Unbounded))
}

#[test]
fn sixteen_mebibytes_unread_stop_the_socket_and_cost_the_slowest_its_stream() {
    let mut rig = quiet(Side::Server);
    for stream in 0..64 {
        rig.now = rig.now + MS;
        rig.take([data(SYN, stream * 2 + 1, vec![0; WINDOW as usize])]);
        rig.accept();
        assert_eq!(rig.machine.wants_read(), stream < 63);
    }
    rig.read(1).unwrap();
    assert!(rig.machine.wants_read(), "one read makes room");
    rig.drain();
    rig.now = rig.now + MS;
    rig.take([data(0, 1, vec![0; WINDOW as usize])]);
    assert!(!rig.machine.wants_read());
    rig.drain();
    rig.pass(SECOND * 4);
    assert!(
        rig.drain()
            .iter()
            .all(|frame| *frame == update(ACK, frame.header.stream, 0)),
        "five seconds of patience"
    );
    rig.pass(SECOND);
    assert_eq!(
        rig.drain(),
        [update(RST, 3, 0x1006)],
        "the stream left unread longest"
    );
    assert!(rig.machine.wants_read());
    assert_eq!(rig.machine.unread().total, 63 << 18);
}

#[test]
fn over_its_share_a_connection_is_not_read_and_after_five_seconds_its_longest_unread_streams_go() {
    const PART: usize = 100 << 10;
    let mut rig = quiet(Side::Server);
    for id in [1, 3, 5] {
        rig.take([data(SYN, id, vec![7; PART])]);
        rig.accept();
        rig.pass(SECOND);
    }
    rig.drain();
    assert!(rig.machine.wants_read(), "nobody said what its share is");
    rig.machine.allow_unread(rig.now, 3 * PART);
    assert!(!rig.machine.wants_read(), "as much lies unread as may");
    rig.pass(SECOND * 4);
    rig.machine.allow_unread(rig.now, 3 * PART + 1);
    assert!(rig.machine.wants_read(), "others have read");
    rig.machine.allow_unread(rig.now, PART + 1);
    rig.pass(SECOND * 4);
    assert_eq!(rig.drain(), [], "patience begins anew");
    rig.pass(SECOND);
    // One stream is enough: what it held is free for the others.
    assert_eq!(rig.drain(), [update(RST, 1, 0x1006)]);
    assert!(rig.machine.wants_read());
    assert_eq!(rig.machine.unread().total, 2 * PART);
    rig.pass(SECOND * 60);
    assert_eq!(
        rig.read(3).unwrap().0.len(),
        PART,
        "granted credit and what came by it stay"
    );
}

#[test]
fn over_its_share_a_connection_returns_less_credit() {
    let mut rig = Rig::new(Side::Server);
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    let turn = |rig: &mut Rig, length: u32| {
        rig.take([data(0, 1, vec![0; length as usize])]);
        rig.now = rig.now + MS * 10;
        rig.read(1).unwrap();
        rig.drain()[0].header.length
    };
    assert_eq!(turn(&mut rig, WINDOW), WINDOW);
    rig.now = rig.now + MS * 10;
    rig.take([ping(ACK, 0)]);
    assert_eq!(turn(&mut rig, WINDOW), 2 * WINDOW, "it grows while there is room");
    rig.take([data(SYN, 3, vec![0; 1000])]);
    rig.accept();
    rig.machine.allow_unread(rig.now, 1000);
    assert_eq!(
        turn(&mut rig, 2 * WINDOW),
        WINDOW,
        "and shrinks while there is none"
    );
}

/// Reads the first stream so quickly that its window grows to so many times the first one, all of it credit.
fn grow(rig: &mut Rig, times: u32) {
    let mut credit = WINDOW;
    while credit < times * WINDOW {
        rig.take([data(0, 1, vec![0; credit as usize])]);
        rig.now = rig.now + MS * 10;
        rig.read(1).unwrap();
        credit = rig.drain()[0].header.length;
        if rig.machine.rtt().is_none() {
            rig.now = rig.now + MS * 10;
            rig.take([ping(ACK, 0)]);
        }
    }
    assert_eq!(credit, times * WINDOW);
}

#[test]
fn what_came_by_a_reserved_window_holds_nobody_up() {
    let mut rig = quiet(Side::Server);
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    grow(&mut rig, 16);
    rig.machine.allow_unread(rig.now, WINDOW as usize + 1);
    rig.take([data(0, 1, vec![0; 16 * WINDOW as usize])]);
    let unread = rig.machine.unread();
    assert_eq!(
        (unread.total, unread.uncovered),
        (16 * WINDOW as usize, WINDOW as usize)
    );
    assert!(
        rig.machine.wants_read(),
        "a share as small as the first window is kept to"
    );
    rig.machine.allow_unread(rig.now, WINDOW as usize);
    assert!(!rig.machine.wants_read());
}

#[test]
fn a_reader_that_is_behind_gets_no_larger_window() {
    let mut rig = quiet(Side::Server);
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    grow(&mut rig, 8);
    rig.take([data(0, 1, vec![0; MIB])]);
    for _ in 0..10 {
        // Half a window always lies unread: it is quick, and no larger window would make it quicker.
        rig.take([data(0, 1, vec![0; MIB])]);
        rig.now = rig.now + MS;
        let mut left = MIB;
        while left > 0
            && let Poll::Ready(Ok(Some(bytes))) = rig.machine.read(rig.now, 1, left, || 0)
        {
            left -= bytes.len();
        }
        assert_eq!(rig.drain(), [update(0, 1, MIB as u32)]);
    }
}

#[test]
fn credit_of_a_large_window_comes_back_by_the_mebibyte() {
    let mut rig = quiet(Side::Server);
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    grow(&mut rig, 64);
    rig.take([data(0, 1, vec![0; MIB - 1])]);
    rig.read(1).unwrap();
    assert_eq!(rig.drain(), []);
    rig.take([data(0, 1, "x")]);
    rig.read(1).unwrap();
    assert_eq!(rig.drain(), [update(0, 1, MIB as u32)]);
}

#[test]
fn what_lies_unread_does_not_starve_a_writer() {
    let mut rig = quiet(Side::Server);
    rig.take([update(SYN, 1, 0), data(SYN, 3, vec![0; 1000])]);
    rig.accept();
    rig.accept();
    rig.machine.allow_unread(rig.now, 1000);
    assert!(!rig.machine.wants_read(), "it is at its share");
    for _ in 0..2 {
        rig.write(1, &vec![0; WINDOW as usize]);
        rig.drain();
    }
    assert_eq!(rig.write(1, &[1]), 0);
    assert!(
        rig.machine.wants_read(),
        "the credit that is waited for lies in the socket"
    );
    rig.take([
        data(0, 3, vec![0; WINDOW as usize - 1000]),
        data(SYN, 5, vec![0; 999]),
    ]);
    rig.accept();
    assert!(rig.machine.wants_read());
    rig.take([data(0, 5, "x")]);
    assert!(
        !rig.machine.wants_read(),
        "a window beyond its share, and no further"
    );
    rig.take([update(0, 1, 10)]);
    assert!(rig.woken().contains(&1));
    rig.read(5).unwrap();
    assert!(!rig.machine.wants_read(), "nobody waits for credit now");
    assert_eq!(rig.write(1, &[1; 20]), 10);
    assert!(rig.machine.wants_read());
}

#[test]
fn who_reads_is_not_reset_however_long_others_leave_it_no_share() {
    let mut rig = quiet(Side::Server);
    rig.take([data(SYN, 1, vec![0; 5000]), data(SYN, 3, vec![0; 5000])]);
    rig.accept();
    rig.accept();
    rig.machine.allow_unread(rig.now, 1);
    for _ in 0..3 {
        rig.drain();
        rig.pass(SECOND * 4);
        for id in [1, 3] {
            assert!(rig.machine.read(rig.now, id, 1000, || 0).is_ready());
        }
    }
    assert_eq!(rig.drain(), []);
    rig.pass(SECOND * 2);
    assert!(rig.machine.read(rig.now, 3, 1000, || 0).is_ready());
    rig.pass(SECOND * 3);
    assert_eq!(rig.drain(), [update(RST, 1, 0x1006)]);
}

/// Bytes that take a while from one side to the other, and of which the sockets between hold so many.
#[derive(Default)]
struct Line {
    flying: VecDeque<(u32, Bytes)>,
    arrived: BytesMut,
}

const SOCKET: usize = 256 << 10;

impl Line {
    fn len(&self) -> usize {
        self.arrived.len() + self.flying.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    }

    /// Moves what there is room for from one side to the other, which takes what it wants to read.
    fn carry(&mut self, tick: u32, from: &mut Rig, to: &mut Rig) {
        while self.len() < SOCKET && from.machine.wants_transmit() {
            self.flying.push_back((tick + 5, from.drain_bytes()));
        }
        while self.flying.front().is_some_and(|(due, _)| *due <= tick)
            && let Some((_, bytes)) = self.flying.pop_front()
        {
            self.arrived.extend_from_slice(&bytes);
        }
        while to.machine.wants_read() && self.arrived.has_remaining() {
            let piece = self.arrived.split_to(self.arrived.len().min(16 << 10));
            to.machine
                .receive(to.now, piece.freeze())
                .expect("both are honest");
        }
    }
}

#[test]
fn an_echo_of_sixteen_mebibytes_comes_through_a_share_of_nothing() {
    const ALL: usize = 16 * MIB;
    let mut config = Config::default();
    // The client's window does not grow as the server's does, so the echo is always behind and out of credit.
    config.max_window = WINDOW;
    let mut client = Rig::with(Side::Client, config, Box::new(Unbounded));
    let mut server = Rig::new(Side::Server);
    let (mut up, mut down) = (Line::default(), Line::default());
    let id = client.open();
    let (mut sent, mut echo, mut heard, mut accepted) = (0, Bytes::new(), 0, false);
    for tick in 0.. {
        assert!(tick < 10_000, "stuck at {heard} of {ALL}");
        for rig in [&mut client, &mut server] {
            rig.pass(MS * 10);
            assert_eq!(rig.machine.end(), None);
        }
        server.machine.allow_unread(server.now, 1);
        sent += client.write(id, &vec![7; (ALL - sent).min(64 << 10)]);
        up.carry(tick, &mut client, &mut server);
        accepted |= server.accept().is_some();
        if !accepted {
            continue;
        }
        // It writes all of what it has read before it reads on.
        loop {
            while !echo.is_empty() && matches!(server.machine.write(id, &mut echo, || id), Poll::Ready(Ok(_)))
            {
            }
            if !echo.is_empty() {
                break;
            }
            match server.machine.read(server.now, id, 16 << 10, || id) {
                Poll::Ready(Ok(Some(bytes))) => echo = bytes,
                other => {
                    assert!(other.is_pending(), "{other:?}");
                    break;
                }
            }
        }
        down.carry(tick, &mut server, &mut client);
        heard += client.read(id).expect("lives").0.len();
        if heard == ALL {
            break;
        }
    }
}

#[test]
fn of_a_thousand_streams_that_nobody_reads_no_more_is_held_than_may() {
    const SHARE: usize = MIB;
    let (mut client, mut server) = (quiet(Side::Client), quiet(Side::Server));
    let mut line = Line::default();
    let (mut opened, mut id, mut left, mut most, mut reset) = (0, 0, 0, 0, 0);
    for tick in 0..12_000 {
        for rig in [&mut client, &mut server] {
            rig.pass(MS * 500);
        }
        server.machine.allow_unread(server.now, SHARE);
        if left == 0 && opened < 1000 {
            (id, left) = (client.open(), WINDOW as usize);
            opened += 1;
        }
        left -= client.write(id, &vec![7; left]);
        line.carry(tick, &mut client, &mut server);
        let mut said = server.drain();
        while let Some(id) = server.accept() {
            // Half of them wait for credit as well.
            while id % 4 == 1 && server.write(id, &vec![0; WINDOW as usize]) > 0 {
                said.extend(server.drain());
            }
        }
        most = most.max(server.machine.unread().total);
        said.retain(|frame| frame.header.kind == Kind::WindowUpdate);
        reset += said.iter().filter(|frame| frame.header.flags.0 == RST).count();
        client.take(said);
    }
    assert!(most <= SHARE + WINDOW as usize + (16 << 10), "{most} bytes");
    assert_eq!(opened, 1000);
    assert!(reset > 900, "only {reset} were reset");
    assert!(server.machine.end().is_none() && client.machine.end().is_none());
}

/// Memory of so many bytes.
struct Bounded(u64);

impl Memory for Bounded {
    fn reserve(&mut self, bytes: u64) -> u64 {
        bytes.min(self.0)
    }
}

#[test]
fn one_stream_fills_a_gigabit_over_a_hundred_milliseconds() {
    // What a millisecond of the path takes, and the share of one connection in sixteen MiB of memory.
    const A_TICK: usize = 125_000;
    const MEMORY: u64 = (16 << 20) / 5 * 4;
    let mut client = quiet(Side::Client);
    let mut config = Config::default();
    config.keep_alive = None;
    let mut server = Rig::with(Side::Server, config, Box::new(Bounded(MEMORY)));
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let id = client.open();
    let payload = Bytes::from(vec![7; A_TICK]);
    let (mut heard, mut queued) = (0, BytesMut::new());
    for tick in 0..3000 {
        client.pass(MS);
        server.pass(MS);
        while queued.len() < A_TICK {
            let mut chunk = payload.clone();
            let waits = client.machine.write(id, &mut chunk, || id).is_pending();
            queued.extend_from_slice(&client.drain_bytes());
            if waits {
                break;
            }
        }
        up.push_back(queued.split_to(queued.len().min(A_TICK)).freeze());
        down.push_back(server.drain_bytes());
        if tick < 50 {
            continue;
        }
        let (arrived, answer) = (up.pop_front().unwrap(), down.pop_front().unwrap());
        server.machine.receive(server.now, arrived).unwrap();
        client.machine.receive(client.now, answer).unwrap();
        server.accept();
        let read = server.read(id).map_or(0, |(bytes, _)| bytes.len());
        // From the third second on, when the window has grown.
        heard += if tick >= 2000 { read } else { 0 };
    }
    let percent = 100 * heard / (1000 * A_TICK);
    assert!(percent >= 95, "{percent} % of the path");
}

#[test]
fn an_answer_that_lies_in_a_socket_that_is_not_read_is_not_missed() {
    let mut rig = Rig::new(Side::Server);
    rig.take([data(SYN, 1, vec![7; 1000])]);
    rig.accept();
    rig.pass(SECOND * 30);
    assert!(rig.drain().contains(&ping(SYN, 0)));
    rig.machine.allow_unread(rig.now, 0);
    assert!(!rig.machine.wants_read());
    for _ in 0..20 {
        // It reads, so that patience does not end; the socket stays closed because of others.
        rig.pass(SECOND);
        rig.machine.read(rig.now, 1, 1, || 1).is_ready();
    }
    rig.machine.allow_unread(rig.now, MIB);
    assert!(rig.machine.wants_read());
    rig.machine.handle_timeout(rig.now);
    assert_eq!(rig.machine.end(), None, "the socket is read first");
    rig.pass(SECOND * 10);
    assert!(rig.machine.end().is_some(), "now there was time to hear it");
}
