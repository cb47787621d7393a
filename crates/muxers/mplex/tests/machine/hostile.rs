//! Hostile peers: what is cut, and after exactly how many frames.

use crate::rig::{Frame, Rig, close, frame, message, new_stream, reset, theirs};
use bytes::Bytes;
use proptest::prelude::*;
use sinew_machine::CloseCode;
use sinew_mplex::{
    Fault,
    machine::{BUDGET, End, Kind, MAX_DATA, probe},
};

const TOKENS: usize = BUDGET as usize;

/// Feeds the frames that `make` numbers until the connection is cut; says after how many and why.
fn flood(rig: &mut Rig, mut make: impl FnMut(u64) -> Vec<Frame>) -> (usize, Fault) {
    let mut sent = 0;
    for number in 0.. {
        for frame in make(number) {
            sent += 1;
            if let Err(fault) = rig.feed(&frame) {
                assert_eq!(rig.machine.end(), Some(End::Fault(fault)));
                assert!(!rig.machine.wants_transmit() && !rig.machine.wants_read());
                assert!(rig.machine.is_finished());
                return (sent, fault);
            }
        }
        rig.drain();
    }
    unreachable!()
}

/// A connection with stream 1 of the remote open and accepted.
fn open() -> Rig {
    let mut rig = Rig::new();
    rig.take([new_stream(1)]);
    rig.accept();
    rig
}

#[test]
fn empty_frames_without_end() {
    let empty = flood(&mut open(), |_| vec![message(1, "")]);
    assert_eq!(empty, (TOKENS + 1, Fault::Flood));
    let ends = flood(&mut open(), |_| vec![close(1)]);
    assert_eq!(ends, (1 + TOKENS + 1, Fault::Flood), "one of them is an end");
}

#[test]
fn unknown_streams_without_end() {
    for make in [message(7, "x"), close(7), reset(7), message(1, "x").receiver()] {
        let cut = flood(&mut open(), |_| vec![make.clone()]);
        assert_eq!(cut, (TOKENS + 1, Fault::Flood), "{make:?}");
    }
}

#[test]
fn frames_after_the_remotes_own_end() {
    let mut rig = open();
    rig.take([close(1)]);
    assert_eq!(
        flood(&mut rig, |_| vec![message(1, vec![0; 100_000])]),
        (TOKENS + 1, Fault::Flood)
    );
    let mut rig = open();
    rig.take([reset(1)]);
    assert_eq!(
        flood(&mut rig, |_| vec![message(1, "x")]),
        (TOKENS - 1 + 1, Fault::Flood),
        "the reset cost one"
    );
}

#[test]
fn frames_after_our_reset_may_have_been_under_way() {
    for held in [false, true] {
        let mut rig = open();
        rig.machine.reset(theirs(1), CloseCode(0));
        if !held {
            rig.machine.release(rig.now, theirs(1));
        }
        assert_eq!(
            flood(&mut rig, |_| vec![message(1, "x")]),
            (64 + TOKENS + 1, Fault::Flood)
        );
    }
    let mut rig = open();
    rig.machine.reset(theirs(1), CloseCode(0));
    let large = flood(&mut rig, |_| vec![message(1, vec![0; 1 << 20])]);
    assert_eq!(large, (16 + TOKENS + 1, Fault::Flood), "16 MiB");
}

#[test]
fn opening_without_end() {
    let cut = flood(&mut Rig::new(), |number| vec![new_stream(number)]);
    assert_eq!(
        cut,
        (256 + TOKENS + 1, Fault::Flood),
        "256 wait to be accepted, others are refused"
    );
}

#[test]
fn opening_and_resetting_without_end() {
    let cut = flood(&mut Rig::new(), |number| vec![new_stream(number), reset(number)]);
    assert_eq!(cut, (2 * (TOKENS + 1), Fault::Flood));
}

#[test]
fn resets_of_streams_that_were_answered_cost_nothing() {
    let mut rig = Rig::new();
    for number in 0..2000 {
        rig.take([new_stream(number)]);
        let id = rig.accept().unwrap();
        rig.write(id, b"answer");
        rig.drain();
        rig.take([reset(number)]);
        rig.machine.release(rig.now, id);
    }
    assert_eq!((rig.machine.budget(), rig.machine.stream_count()), (BUDGET, 0));
}

#[test]
fn streams_beyond_the_backlog_are_reset() {
    let mut rig = Rig::new();
    rig.take((0..256).map(new_stream));
    assert_eq!(rig.drain(), []);
    rig.take([new_stream(256), message(256, "refused"), close(256)]);
    assert_eq!(rig.drain(), [reset(256).receiver()]);
    assert_eq!(
        (rig.machine.unread().total, rig.machine.budget()),
        (0, BUDGET - 1)
    );
    assert_eq!(rig.accept(), Some(theirs(0)));
}

#[test]
fn answers_that_are_not_taken_stop_the_reading() {
    let mut rig = Rig::new();
    let mut number = 0;
    while rig.machine.wants_read() {
        rig.take([new_stream(number)]);
        number += 1;
    }
    assert_eq!(number, 256 + 512);
    assert_eq!(rig.drain().len(), 512);
    assert!(rig.machine.wants_read());
}

#[test]
fn clear_breaches_are_cut_at_the_first_frame() {
    let cases: [(&[u8], Fault); 6] = [
        (&[0x0f, 0], Fault::Flag(7)),
        (&[0x80, 0x00], Fault::Header),
        (&[0xff; 12], Fault::Header),
        (&[0x0a, 0x81, 0x80, 0x40], Fault::TooLong(MAX_DATA + 1)),
        (&[0x0a, 0x80, 0x00], Fault::Header),
        (&[0x10, 0x81, 0x08], Fault::Name(1025)),
    ];
    for (bytes, fault) in cases {
        let mut rig = open();
        let cut = rig.machine.receive(rig.now, Bytes::copy_from_slice(bytes));
        assert_eq!(cut, Err(fault), "{bytes:02x?}");
    }
    let mut rig = open();
    assert_eq!(rig.feed(&new_stream(1)), Err(Fault::Duplicate(1)));
    assert_eq!(rig.feed(&new_stream(2)), Ok(()), "what comes later is ignored");
    assert_eq!(rig.machine.stream_count(), 1);
}

#[test]
fn ends_and_resets_with_data_are_taken_without_it() {
    let mut rig = open();
    rig.take([frame(Kind::Close, 1, "ignored")]);
    assert_eq!(rig.read(theirs(1)), Ok((vec![], true)));
    rig.take([
        frame(Kind::NewStream, 2, vec![0; 1024]),
        frame(Kind::Reset, 2, "x"),
    ]);
    assert_eq!(rig.machine.unread().total, 0);
}

proptest! {
    #[test]
    fn arbitrary_bytes(input in proptest::collection::vec(any::<u8>(), 0..2000), script: [u8; 16]) {
        prop_assert_eq!(probe(&input, &script), Ok(()));
    }

    /// Frames that mean something, on few streams, under the bounds of the probe.
    #[test]
    fn arbitrary_frames(
        frames in proptest::collection::vec((0u8..7, 0u8..6, 0u16..900), 0..200),
        script: [u8; 16],
    ) {
        let mut input = Vec::new();
        for (flag, number, length) in frames {
            input.push(number << 3 | flag);
            put_length(length, &mut input);
            input.resize(input.len() + usize::from(length), 7);
        }
        prop_assert_eq!(probe(&input, &script), Ok(()));
    }
}

fn put_length(length: u16, out: &mut Vec<u8>) {
    if length >= 0x80 {
        out.push(length as u8 | 0x80);
    }
    out.push(if length >= 0x80 {
        (length >> 7) as u8
    } else {
        length as u8
    });
}
