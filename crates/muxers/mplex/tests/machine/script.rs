//! Scripts: inputs and the exact frames that follow.

use crate::rig::{Rig, close, frame, message, new_stream, reset, theirs};
use bytes::Bytes;
use sinew_machine::{CloseCode, code};
use sinew_mplex::{
    Config,
    machine::{End, Id, Kind, Refused, StreamError},
};
use std::{task::Poll, time::Duration};

fn ours(number: u64) -> Id {
    Id { number, ours: true }
}

#[test]
fn a_conversation_that_we_begin() {
    let mut rig = Rig::new();
    let id = rig.open();
    assert_eq!(id, ours(0));
    assert_eq!(rig.write(id, b"question"), 8);
    rig.machine.finish(id).unwrap();
    rig.machine.finish(id).unwrap();
    assert_eq!(rig.drain(), [new_stream(0), message(0, "question"), close(0)]);
    assert_eq!(rig.read(id), Ok((vec![], false)));
    rig.take([message(0, "answer").receiver()]);
    assert_eq!(rig.woken(), [0]);
    rig.take([close(0).receiver()]);
    assert_eq!(rig.read(id), Ok((b"answer".to_vec(), true)));
    rig.machine.release(rig.now, id);
    assert_eq!((rig.drain(), rig.machine.stream_count()), (vec![], 0));
    assert_eq!(rig.machine.budget(), 1000, "nothing of this is useless");
}

#[test]
fn a_conversation_that_they_begin_under_the_same_number() {
    let mut rig = Rig::new();
    let id = rig.open();
    rig.drain();
    rig.take([
        frame(Kind::NewStream, 0, "a name"),
        message(0, "theirs"),
        close(0),
    ]);
    assert_eq!(rig.accept(), Some(theirs(0)));
    assert_eq!(rig.read(theirs(0)), Ok((b"theirs".to_vec(), true)));
    assert_eq!(rig.read(id), Ok((vec![], false)), "ours is another stream");
    rig.write(theirs(0), b"answer");
    rig.machine.finish(theirs(0)).unwrap();
    assert_eq!(
        rig.drain(),
        [message(0, "answer").receiver(), close(0).receiver()]
    );
    assert_ne!(u64::from(id), u64::from(theirs(0)));
}

#[test]
fn numbers_rise_on_the_wire() {
    let mut rig = Rig::new();
    let ids: Vec<_> = (0..4).map(|_| rig.open()).collect();
    rig.write(ids[3], b"x");
    rig.machine.reset(ids[1], CloseCode(1));
    assert_eq!(
        rig.drain(),
        [new_stream(0), new_stream(2), new_stream(3), message(3, "x")],
        "nothing is said of a stream that never left"
    );
    rig.machine.reset(ids[0], CloseCode(1));
    rig.machine.release(rig.now, ids[2]);
    assert_eq!(rig.drain(), [reset(0), reset(2)]);
    assert_eq!(rig.read(ids[0]), Err(StreamError::Abandoned(CloseCode(1))));
}

#[test]
fn nothing_is_sent_after_a_reset_or_an_end() {
    let mut rig = Rig::new();
    rig.take([new_stream(7), message(7, "x")]);
    let id = rig.accept().unwrap();
    rig.write(id, b"waits");
    rig.take([reset(7)]);
    assert_eq!(rig.read(id), Err(StreamError::Reset(CloseCode::NONE)));
    assert_eq!(rig.write(id, b"more"), 0);
    rig.machine.finish(id).unwrap_err();
    rig.machine.reset(id, CloseCode(1));
    rig.machine.release(rig.now, id);
    assert_eq!(rig.drain(), []);

    let id = rig.open();
    rig.write(id, b"waits");
    rig.machine.finish(id).unwrap();
    rig.drain();
    assert_eq!(
        rig.machine.write_slice(id, b"late", || 0),
        Poll::Ready(Err(StreamError::Finished))
    );
    assert_eq!(rig.drain(), []);
    rig.take([close(0).receiver()]);
    rig.machine.reset(id, CloseCode(1));
    assert_eq!(rig.drain(), [], "the remote has forgotten it");
}

#[test]
fn resets_are_seen_without_reading_and_wake_everybody() {
    let mut rig = Rig::new();
    rig.take([new_stream(7)]);
    let id = rig.accept().unwrap();
    assert!(rig.machine.reset_of(id, || 70).is_pending());
    assert!(rig.machine.read(rig.now, id, 1, || 71).is_pending());
    rig.take([reset(7)]);
    assert_eq!(rig.woken(), [71, 70]);
    assert_eq!(rig.machine.reset_of(id, || 70), Poll::Ready(CloseCode::NONE));
}

#[test]
fn bytes_in_any_pieces() {
    let frames = [
        new_stream(1 << 40),
        message(1 << 40, vec![9; 300]),
        message(1 << 40, "tail"),
        close(1 << 40),
    ];
    let all: Vec<u8> = frames.iter().flat_map(crate::rig::Frame::bytes).collect();
    for piece in 1..all.len() {
        let mut rig = Rig::new();
        for bytes in all.chunks(piece) {
            rig.machine
                .receive(rig.now, Bytes::copy_from_slice(bytes))
                .unwrap();
        }
        let id = rig.accept().unwrap();
        let mut expected = vec![9; 300];
        expected.extend_from_slice(b"tail");
        assert_eq!(rig.read(id), Ok((expected, true)), "in pieces of {piece}");
    }
}

#[test]
fn streams_take_turns() {
    let mut rig = Rig::new();
    let (first, second) = (rig.open(), rig.open());
    let large = vec![1; 40_000];
    rig.write(first, &large);
    rig.write(second, &large);
    let turns: Vec<_> = rig
        .drain()
        .iter()
        .map(|frame| (frame.header.number, frame.body.len()))
        .collect();
    let (fair, rest) = (16_367, 40_000 - 2 * 16_367);
    assert_eq!(
        turns,
        [
            (0, 0),
            (0, fair),
            (1, 0),
            (1, fair),
            (0, fair),
            (1, fair),
            (0, rest),
            (1, rest)
        ]
    );
    rig.write(first, &vec![1; 200_000]);
    assert!(rig.drain().iter().all(|frame| frame.body.len() <= 65_507));
}

#[test]
fn a_full_buffer_makes_writers_wait() {
    let mut rig = Rig::new();
    let id = rig.open();
    let taken = rig.write(id, &vec![0; 1 << 20]);
    assert_eq!(taken, Config::default().send_buffer);
    assert_eq!(rig.woken(), []);
    rig.drain();
    assert_eq!(rig.woken(), [0]);
}

#[test]
fn a_stream_that_is_not_read_holds_up_the_connection_and_is_reset() {
    let mut rig = Rig::new();
    rig.take([new_stream(1), new_stream(2), message(1, vec![0; 256 << 10])]);
    let (stays, _) = (rig.accept().unwrap(), rig.accept());
    assert!(!rig.machine.wants_read());
    assert_eq!(rig.machine.deadline(), Some(rig.now + Duration::from_secs(5)));
    rig.pass(Duration::from_millis(4999));
    assert!(!rig.machine.wants_read());
    assert_eq!(rig.drain(), []);
    rig.pass(Duration::from_millis(1));
    assert!(rig.machine.wants_read());
    assert_eq!(rig.drain(), [reset(1).receiver()]);
    assert_eq!(
        rig.read(stays),
        Err(StreamError::Abandoned(code::stream::GARBAGE_COLLECTED))
    );
    assert_eq!(rig.machine.unread().total, 0);
    rig.take([
        message(2, "goes on"),
        message(1, vec![0; 1 << 20]),
        message(2, "!"),
    ]);
    assert_eq!(rig.read(theirs(2)), Ok((b"goes on!".to_vec(), false)));
    assert_eq!(rig.machine.budget(), 1000, "what was under way costs nothing");
}

#[test]
fn a_reader_that_is_slow_but_reads_is_waited_for() {
    let mut rig = Rig::new();
    rig.take([new_stream(1), message(1, vec![0; 300_000])]);
    let id = rig.accept().unwrap();
    for _ in 0..9 {
        rig.pass(Duration::from_millis(4900));
        let read = rig.machine.read(rig.now, id, 1000, || 1);
        assert!(matches!(read, Poll::Ready(Ok(Some(_)))));
        assert!(!rig.machine.wants_read(), "still more than the bound");
    }
    assert_eq!(rig.read(id).unwrap().0.len(), 291_000);
    assert!(rig.machine.wants_read());
    assert_eq!((rig.machine.deadline(), rig.drain()), (None, vec![]));
}

#[test]
fn many_streams_that_are_not_read_are_bounded_together() {
    let mut rig = Rig::new();
    for number in 0..20 {
        rig.take([new_stream(number), message(number, vec![0; 200 << 10])]);
        rig.now = rig.now + Duration::from_millis(1);
    }
    assert_eq!(rig.machine.unread().total, 20 * (200 << 10));
    rig.take([new_stream(20), message(20, vec![0; 200 << 10])]);
    assert!(!rig.machine.wants_read());
    rig.pass(Duration::from_secs(5));
    assert_eq!(
        rig.drain(),
        [reset(0).receiver()],
        "the one that waited longest is enough"
    );
    assert!(rig.machine.wants_read());
}

#[test]
fn a_share_of_what_all_may_leave_unread() {
    let mut rig = Rig::new();
    rig.take([
        new_stream(1),
        new_stream(2),
        message(1, "12345"),
        message(2, "67890"),
    ]);
    rig.machine.allow_unread(rig.now, 8);
    assert!(!rig.machine.wants_read());
    rig.machine.allow_unread(rig.now, 11);
    assert!(rig.machine.wants_read());
    rig.machine.allow_unread(rig.now, 1);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.drain(), [reset(1).receiver()], "what it held is the other's");
    assert!(rig.machine.wants_read());
    assert_eq!(rig.read(theirs(2)).unwrap().0, b"67890");
}

#[test]
fn opening_waits_until_the_remote_was_told() {
    let mut rig = Rig::new();
    (0..256).for_each(|_| _ = rig.open());
    let (mut first, mut second) = (None, None);
    assert!(rig.machine.open(rig.now, &mut first, || 1).is_pending());
    assert!(rig.machine.open(rig.now, &mut second, || 2).is_pending());
    assert_eq!(rig.drain().len(), 256);
    assert_eq!(rig.woken(), [1, 2]);
    let opened = rig.machine.open(rig.now, &mut first, || 1);
    assert_eq!(opened, Poll::Ready(Ok(ours(256))));
    rig.machine.cancel_open(second.unwrap());
}

#[test]
fn a_user_that_leaves_early_resets_and_one_that_finished_drains() {
    let mut rig = Rig::new();
    rig.take((0..3).map(new_stream));
    (0..3).for_each(|_| _ = rig.accept());
    rig.machine.release(rig.now, theirs(0));
    assert_eq!(rig.drain(), [reset(0).receiver()]);
    for number in [1, 2] {
        rig.machine.finish(theirs(number)).unwrap();
        rig.machine.release(rig.now, theirs(number));
    }
    rig.drain();
    rig.take([message(1, vec![0; 256 << 10]), message(2, "x")]);
    assert_eq!(rig.drain(), []);
    rig.take([message(1, "one too many")]);
    assert_eq!(rig.drain(), [reset(1).receiver()]);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.drain(), [reset(2).receiver()]);
    assert_eq!(rig.machine.stream_count(), 0);
}

#[test]
fn input_that_is_not_wanted_is_dropped() {
    let mut rig = Rig::new();
    rig.take([new_stream(1), message(1, "x")]);
    let id = rig.accept().unwrap();
    rig.machine.stop(id);
    rig.take((0..40).map(|_| message(1, vec![0; 1 << 20])));
    assert_eq!(
        (rig.read(id), rig.machine.unread().total),
        (Ok((vec![], true)), 0)
    );
    rig.write(id, b"answer");
    assert_eq!(rig.drain(), [message(1, "answer").receiver()]);
}

#[test]
fn closing_sends_what_is_queued() {
    let mut rig = Rig::new();
    let id = rig.open();
    rig.write(id, b"last words");
    rig.machine.close(rig.now, CloseCode(3));
    rig.machine.close(rig.now, CloseCode(4));
    assert!(!rig.machine.is_finished() && !rig.machine.wants_read());
    assert_eq!(rig.drain(), [new_stream(0), message(0, "last words")]);
    assert!(rig.machine.is_finished());
    let end = End::Closed(CloseCode(3));
    assert_eq!(rig.machine.end(), Some(end));
    assert_eq!(rig.read(id), Err(StreamError::Ended(end)));
    assert_eq!(
        rig.machine.open(rig.now, &mut None, || 0),
        Poll::Ready(Err(Refused::Ended(end)))
    );
    assert_eq!(rig.machine.reset_of(id, || 0), Poll::Ready(CloseCode(3)));
}

#[test]
fn a_close_that_cannot_leave_is_given_up() {
    let mut rig = Rig::new();
    let id = rig.open();
    rig.write(id, b"x");
    rig.machine.close(rig.now, CloseCode::NONE);
    assert_eq!(rig.machine.deadline(), Some(rig.now + Duration::from_secs(3)));
    rig.pass(Duration::from_secs(3));
    assert!(rig.machine.is_finished() && rig.machine.is_expired());
}
