//! Inputs and their exact effects.

use crate::rig::{ACK, FIN, Frame, RST, Rig, SYN, WINDOW, data, frame, go_away, ping, update};
use sinew_machine::CloseCode;
use sinew_yamux::{
    Config,
    machine::{End, Kind, Memory, Refused, Side, StreamError},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn opening_payload_and_end_leave_in_one_flight() {
    let mut rig = Rig::new(Side::Client);
    let id = rig.open();
    assert!(
        !rig.machine.wants_transmit(),
        "nothing is said of a stream that says nothing"
    );
    rig.write(id, b"hello ");
    rig.write(id, b"world");
    rig.machine.finish(id).unwrap();
    assert_eq!(rig.drain(), [data(SYN, 1, "hello world"), update(FIN, 1, 0)]);
}

#[test]
fn a_stream_that_is_read_first_is_announced() {
    let mut rig = Rig::new(Side::Server);
    let id = rig.open();
    assert_eq!(rig.read(id), Ok((vec![], false)));
    assert_eq!(rig.drain(), [update(SYN, 2, 0)]);
}

#[test]
fn ids_rise_on_the_wire() {
    let mut rig = Rig::new(Side::Client);
    let (first, second, third) = (rig.open(), rig.open(), rig.open());
    rig.machine.release(rig.now, second);
    rig.write(third, b"3");
    assert_eq!(rig.drain(), [update(SYN, first, 0), data(SYN, third, "3")]);
    rig.write(first, b"1");
    assert_eq!(
        rig.drain(),
        [data(0, first, "1")],
        "and a stream that was dropped before was never there"
    );
}

#[test]
fn the_acknowledgement_rides_on_the_answer_or_comes_after_ten_milliseconds() {
    let mut rig = Rig::new(Side::Server);
    rig.take([data(SYN, 1, "a"), update(SYN, 3, 0), update(SYN, 5, 0)]);
    for expected in [1, 3] {
        assert_eq!(rig.accept(), Some(expected));
    }
    assert_eq!(rig.drain(), []);
    rig.write(1, b"answer");
    assert_eq!(rig.drain(), [data(ACK, 1, "answer")]);
    assert_eq!(rig.machine.deadline(), Some(rig.now + MS * 10));
    rig.pass(MS * 10);
    assert_eq!(rig.drain(), [update(ACK, 3, 0)]);
    assert_eq!(rig.accept(), Some(5));
    assert_eq!(
        rig.drain(),
        [update(ACK, 5, 0)],
        "late accepted, acknowledged at once"
    );
}

#[test]
fn credit_comes_back_when_half_a_window_was_read() {
    let mut rig = Rig::new(Side::Server);
    let half = WINDOW / 2;
    rig.take([data(SYN, 1, vec![1; half as usize - 1])]);
    assert_eq!(rig.accept(), Some(1));
    rig.read(1).unwrap();
    assert_eq!(rig.drain(), []);
    rig.take([data(0, 1, "x")]);
    assert_eq!(rig.drain(), [], "unread bytes earn nothing");
    rig.read(1).unwrap();
    assert_eq!(
        rig.drain(),
        [update(ACK, 1, half), ping(SYN, 0)],
        "the round trip is measured when it matters"
    );
}

#[test]
fn windows_grow_with_the_round_trip_and_the_reservation() {
    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicU64>);
    impl Memory for Counted {
        fn reserve(&mut self, bytes: u64) -> u64 {
            let granted = bytes.min(3 << 20);
            self.0.store(granted, Ordering::Relaxed);
            granted
        }
    }
    let memory = Counted::default();
    let mut rig = Rig::with(Side::Server, Config::default(), Box::new(memory.clone()));
    let mut credit = WINDOW;
    let mut granted = Vec::new();
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    for round in 0..6 {
        rig.take([data(0, 1, vec![0; credit as usize])]);
        rig.now = rig.now + MS * 10;
        rig.read(1).unwrap();
        let frames = rig.drain();
        if round == 0 {
            rig.now = rig.now + MS * 10;
            rig.take([ping(ACK, 0)]);
            assert_eq!(rig.machine.rtt(), Some(MS * 10));
        }
        credit = frames[0].header.length;
        granted.push(credit / 1024);
    }
    assert_eq!(
        granted,
        [256, 512, 1024, 2048, 3072 + 256, 3072 + 256],
        "as much as could be reserved"
    );
    assert_eq!(memory.0.load(Ordering::Relaxed), 3072 << 10);

    for expected in [1664, 832, 416, 256, 256] {
        rig.take([data(0, 1, vec![0; credit as usize])]);
        rig.now = rig.now + SECOND * 3;
        rig.read(1).unwrap();
        credit = rig.drain()[0].header.length;
        assert_eq!(credit / 1024, expected, "a slow reader gets less");
    }
    assert_eq!(memory.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_reset_gives_the_growth_back() {
    let mut rig = Rig::new(Side::Server);
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    rig.machine.reset(rig.now, 1, CloseCode(0xabcd));
    assert_eq!(rig.drain(), [update(RST, 1, 0xabcd)]);
    assert_eq!(rig.read(1), Err(StreamError::Abandoned(CloseCode(0xabcd))));
    rig.machine.release(rig.now, 1);
    assert_eq!(rig.drain(), []);
    assert_eq!(rig.machine.stream_count(), 0);
}

#[test]
fn a_reset_carries_its_code_in_window_updates_only() {
    let mut rig = Rig::new(Side::Server);
    rig.take([update(SYN, 1, 0), update(SYN, 3, 0)]);
    rig.accept();
    rig.accept();
    rig.take([update(RST, 1, u32::MAX), data(RST, 3, "gone")]);
    assert_eq!(rig.read(1), Err(StreamError::Reset(CloseCode(u32::MAX))));
    assert_eq!(rig.read(3), Err(StreamError::Reset(CloseCode(0))));
}

#[test]
fn writers_wait_for_credit_and_then_go_on() {
    let mut rig = Rig::new(Side::Client);
    let id = rig.open();
    let mut sent = 0;
    for _ in 0..2 {
        rig.write(id, &vec![7; 300 << 10]);
        sent += rig.drain().iter().map(|frame| frame.body.len()).sum::<usize>();
    }
    assert_eq!(sent, WINDOW as usize);
    rig.woken();
    assert_eq!(rig.write(id, &[7]), 0);
    rig.drain();
    assert!(rig.woken().is_empty(), "room is not credit");
    rig.take([update(ACK, id, 10)]);
    assert_eq!(rig.woken(), [id]);
    assert_eq!(rig.write(id, &[7; 100]), 10);
    assert_eq!(rig.drain(), [data(0, id, vec![7; 10])]);
}

#[test]
fn writers_wait_for_room_and_take_turns() {
    let mut rig = Rig::new(Side::Client);
    let ids: Vec<u32> = (0..20).map(|_| rig.open()).collect();
    assert_eq!(
        rig.write(ids[0], &vec![0; 256 << 10]),
        4 * 65_507,
        "one fills the buffer"
    );
    for id in &ids[1..] {
        assert_eq!(rig.write(*id, &[1; 20 << 10]), 0);
    }
    rig.drain();
    assert_eq!(rig.woken(), ids[..15], "shares of room, in the order of asking");
    assert!(rig.machine.has_starving_writers(), "five more wait");
    rig.machine.grant_room();
    assert_eq!(rig.woken(), ids[15..]);
}

#[test]
fn streams_take_turns_frame_by_frame() {
    let mut rig = Rig::new(Side::Client);
    let (first, second) = (rig.open(), rig.open());
    rig.write(first, &vec![1; 40_000]);
    rig.write(second, &vec![2; 20_000]);
    let order: Vec<(u32, usize)> = rig
        .drain()
        .iter()
        .map(|frame| (frame.header.stream, frame.body.len()))
        .collect();
    assert_eq!(
        order,
        [(1, 16_367), (3, 16_367), (1, 16_367), (3, 3_633), (1, 7_266)]
    );
    rig.write(first, &vec![3; 100_000]);
    let alone: Vec<usize> = rig.drain().iter().map(|frame| frame.body.len()).collect();
    assert_eq!(alone, [65_507, 34_493], "a header more is a message of Noise");
}

#[test]
fn pings_are_answered_on_the_session() {
    let mut rig = Rig::new(Side::Server);
    rig.take([frame(Kind::Ping, SYN, 5, 77)]);
    assert_eq!(rig.drain(), [ping(ACK, 77)]);
}

#[test]
fn keep_alive_asks_every_thirty_seconds_and_gives_up_after_ten() {
    let mut rig = Rig::new(Side::Client);
    assert_eq!(rig.machine.deadline(), Some(rig.now + SECOND * 30));
    rig.pass(SECOND * 30);
    assert_eq!(rig.drain(), [ping(SYN, 0)]);
    rig.pass(SECOND * 9);
    rig.take([update(SYN, 2, 0)]);
    rig.pass(SECOND * 9);
    assert_eq!(rig.machine.end(), None, "whatever arrives is a sign of life");
    rig.take([ping(ACK, 0)]);
    assert_eq!(rig.machine.rtt(), Some(SECOND * 18));
    rig.pass(SECOND * 12);
    assert_eq!(rig.drain(), [update(ACK, 2, 0), ping(SYN, 1)].split_at(1).1);
    rig.pass(SECOND * 10);
    assert_eq!(rig.drain(), [go_away(0)]);
    assert!(matches!(rig.machine.end(), Some(End::Fault(_))));
}

#[test]
fn closing_sends_what_is_queued_then_the_code() {
    let mut rig = Rig::new(Side::Client);
    let id = rig.open();
    rig.write(id, b"last");
    rig.machine.finish(id).unwrap();
    rig.machine.close(rig.now, CloseCode(0x1006));
    assert_eq!(
        rig.drain(),
        [data(SYN, 1, "last"), update(FIN, 1, 0), go_away(0x1006)]
    );
    assert!(rig.machine.is_finished());
    assert_eq!(
        rig.machine.open(rig.now, &mut None, || 0),
        Poll::Ready(Err(Refused::Ended(End::Closed(CloseCode(0x1006)))))
    );
}

#[test]
fn a_goodbye_ends_everything_but_what_arrived() {
    let mut rig = Rig::new(Side::Server);
    rig.take([data(SYN | FIN, 1, "whole"), data(SYN, 3, "part")]);
    rig.accept();
    rig.accept();
    assert_eq!(rig.machine.accept(|| 9), Poll::Pending);
    rig.take([go_away(5)]);
    let end = End::Remote(CloseCode(5));
    assert!(rig.woken().contains(&9));
    assert_eq!(rig.machine.accept(|| 9), Poll::Ready(Err(end)));
    assert_eq!(rig.read(1), Ok((b"whole".to_vec(), true)));
    assert_eq!(
        rig.machine.read(rig.now, 3, 9, || 0),
        Poll::Ready(Ok(Some("part".into())))
    );
    assert_eq!(rig.read(3), Err(StreamError::Ended(end)));
    assert!(rig.machine.is_finished() && rig.drain().is_empty());
    assert_eq!(
        rig.feed(&update(SYN, 1, 0)),
        Ok(()),
        "nothing is read after the end"
    );
}

#[test]
fn the_257th_open_waits_for_an_acknowledgement() {
    let mut rig = Rig::new(Side::Client);
    let ids: Vec<u32> = (0..256).map(|_| rig.open()).collect();
    let (mut first, mut second) = (None, None);
    assert_eq!(rig.machine.open(rig.now, &mut first, || 100), Poll::Pending);
    assert_eq!(rig.machine.open(rig.now, &mut second, || 200), Poll::Pending);
    rig.write(ids[3], b"x");
    rig.drain();
    rig.take([update(ACK, ids[3], 0)]);
    assert_eq!(rig.woken(), [100]);
    rig.machine.cancel_open(first.take().unwrap());
    assert_eq!(rig.woken(), [200], "the turn is passed on");
    assert_eq!(
        rig.machine.open(rig.now, &mut second, || 200),
        Poll::Ready(Ok(513))
    );
}

#[test]
fn what_is_left_after_dropping_a_finished_stream_is_dropped_and_ends() {
    let mut rig = Rig::new(Side::Client);
    let id = rig.open();
    rig.write(id, b"question");
    rig.machine.finish(id).unwrap();
    rig.machine.release(rig.now, id);
    assert_eq!(rig.drain(), [data(SYN, id, "question"), update(FIN, id, 0)]);
    rig.take([data(ACK, id, "answer")]);
    assert_eq!((rig.machine.unread().total, rig.machine.stream_count()), (0, 1));
    rig.take([update(FIN, id, 0)]);
    assert_eq!(rig.machine.stream_count(), 0);

    let id = rig.open();
    rig.machine.finish(id).unwrap();
    rig.machine.release(rig.now, id);
    rig.drain();
    rig.pass(SECOND * 29);
    assert_eq!(rig.machine.stream_count(), 1);
    rig.pass(SECOND);
    assert!(rig.drain().contains(&update(RST, id, 0)), "nobody waits for ever");
    assert_eq!(rig.machine.stream_count(), 0);
}

#[test]
fn frames_may_come_in_any_pieces() {
    let frames: Vec<Frame> = vec![
        data(SYN, 1, "abc"),
        update(0, 1, 5),
        data(FIN, 1, "defg"),
        ping(SYN, 9),
        update(SYN, 3, 0),
    ];
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    for size in 1..=bytes.len() {
        let mut rig = Rig::new(Side::Server);
        for piece in bytes.chunks(size) {
            rig.machine
                .receive(rig.now, bytes::Bytes::copy_from_slice(piece))
                .unwrap();
        }
        assert_eq!(
            (rig.accept(), rig.accept(), rig.accept()),
            (Some(1), Some(3), None)
        );
        assert_eq!(rig.read(1), Ok((b"abcdefg".to_vec(), true)));
        assert_eq!(rig.drain(), [ping(ACK, 9)]);
    }
}
