//! Hostile peers: what is cut, and after exactly how many frames.

use crate::rig::{ACK, FIN, Frame, RST, Rig, SYN, WINDOW, data, frame, go_away, ping, update};
use proptest::prelude::*;
use sinew_yamux::{
    Fault,
    machine::{End, Flags, Header, Kind, Side, probe},
};
use std::time::Duration;

const BUDGET: usize = 1000;

/// Feeds the frames that `make` numbers until the connection is cut; says after how many and why.
fn flood(rig: &mut Rig, mut make: impl FnMut(u32) -> Vec<Frame>) -> (usize, Fault) {
    let mut sent = 0;
    for number in 0.. {
        for frame in make(number) {
            sent += 1;
            if let Err(fault) = rig.feed(&frame) {
                assert_eq!(rig.machine.end(), Some(End::Fault(fault)));
                assert_eq!(
                    rig.drain(),
                    [go_away(1)],
                    "of all that waited only the goodbye leaves"
                );
                assert!(!rig.machine.wants_read(), "nothing is read after it");
                return (sent, fault);
            }
        }
        rig.drain();
    }
    unreachable!()
}

/// A server with stream 1 open and accepted.
fn open() -> Rig {
    let mut rig = Rig::new(Side::Server);
    rig.take([update(SYN, 1, 0)]);
    rig.accept();
    rig
}

#[test]
fn pings_without_end() {
    assert_eq!(
        flood(&mut open(), |n| vec![ping(SYN, n)]),
        (BUDGET + 1, Fault::Flood)
    );
    assert_eq!(
        flood(&mut open(), |n| vec![ping(ACK, n)]),
        (BUDGET + 1, Fault::Flood),
        "nobody asked"
    );
    assert_eq!(
        flood(&mut open(), |n| vec![ping(0, n)]),
        (BUDGET + 1, Fault::Flood)
    );
}

#[test]
fn empty_frames_without_end() {
    assert_eq!(
        flood(&mut open(), |_| vec![data(0, 1, "")]),
        (BUDGET + 1, Fault::Flood)
    );
    assert_eq!(
        flood(&mut open(), |_| vec![update(0, 1, 0)]),
        (BUDGET + 1, Fault::Flood)
    );
    let finished = flood(&mut open(), |_| vec![update(FIN, 1, 0)]);
    assert_eq!(
        finished,
        (1 + 64 + BUDGET + 1, Fault::Flood),
        "one end, 64 that may be late"
    );
    let finished = flood(&mut open(), |_| vec![data(FIN, 1, "")]);
    assert_eq!(finished, (1 + 64 + BUDGET + 1, Fault::Flood));
    let acknowledged = flood(&mut open(), |_| vec![update(ACK, 1, 0)]);
    assert_eq!(acknowledged, (64 + BUDGET + 1, Fault::Flood));
}

#[test]
fn unknown_streams_without_end() {
    assert_eq!(
        flood(&mut open(), |_| vec![data(0, 7, "x")]),
        (BUDGET + 1, Fault::Flood)
    );
    assert_eq!(
        flood(&mut open(), |_| vec![update(0, 7, 9)]),
        (BUDGET + 1, Fault::Flood)
    );
    assert_eq!(
        flood(&mut open(), |_| vec![update(RST, 7, 9)]),
        (BUDGET + 1, Fault::Flood)
    );
    assert_eq!(
        flood(&mut open(), |_| vec![data(0, 2, "x")]),
        (BUDGET + 1, Fault::Flood),
        "ours, never opened"
    );
    assert_eq!(
        flood(&mut open(), |_| vec![update(0, 0, 9)]),
        (BUDGET + 1, Fault::Flood),
        "the session's"
    );
}

#[test]
fn frames_on_a_stream_that_ended() {
    let mut rig = open();
    rig.take([update(RST, 1, 0)]);
    rig.machine.release(rig.now, 1);
    assert_eq!(
        flood(&mut rig, |_| vec![data(0, 1, "x")]),
        (64 + BUDGET - 1 + 1, Fault::Flood),
        "the reset cost one"
    );

    let mut rig = open();
    rig.machine.reset(rig.now, 1, sinew_machine::CloseCode(0));
    rig.drain();
    let quarter = vec![0; WINDOW as usize / 4];
    let cut = flood(&mut rig, |_| vec![data(0, 1, quarter.clone())]);
    assert_eq!(
        cut,
        (4 + BUDGET + 1, Fault::Flood),
        "one window that was under way"
    );
}

#[test]
fn opening_without_end() {
    let mut rig = Rig::new(Side::Server);
    let cut = flood(&mut rig, |n| vec![update(SYN, n * 2 + 1, 0)]);
    assert_eq!(
        cut,
        (256 + BUDGET + 1, Fault::Flood),
        "256 wait to be accepted, others are refused"
    );
}

#[test]
fn streams_beyond_the_backlog_are_reset() {
    let mut rig = Rig::new(Side::Server);
    rig.take((0..256).map(|n| update(SYN, n * 2 + 1, 0)));
    assert_eq!(rig.drain(), []);
    rig.take([data(SYN, 513, "refused"), data(0, 513, "late")]);
    assert_eq!(rig.drain(), [update(RST, 513, 0x1002)]);
    assert_eq!(rig.machine.unread().total, 0);
    assert_eq!(rig.accept(), Some(1));
    rig.take([update(SYN, 515, 0)]);
    assert_eq!(rig.drain(), [], "there is room for one again");
}

#[test]
fn open_and_reset_without_end() {
    let mut rig = Rig::new(Side::Server);
    let cut = flood(&mut rig, |n| {
        vec![update(SYN, n * 2 + 1, 0), update(RST, n * 2 + 1, 0)]
    });
    assert_eq!(cut, (2 * (BUDGET + 1), Fault::Flood));
    let mut rig = Rig::new(Side::Server);
    let cut = flood(&mut rig, |n| vec![update(SYN | RST, n * 2 + 1, 0)]);
    assert_eq!(cut, (BUDGET + 1, Fault::Flood));
    assert_eq!(rig.machine.stream_count(), 0);
}

#[test]
fn a_reset_after_an_answer_is_free() {
    let mut rig = Rig::new(Side::Server);
    for n in 0..5000 {
        let id = n * 2 + 1;
        rig.take([data(SYN, id, "a")]);
        rig.accept();
        rig.write(id, b"b");
        rig.drain();
        rig.take([update(RST, id, 0)]);
        rig.machine.release(rig.now, id);
    }
    assert_eq!(rig.machine.budget(), 1000);
}

#[test]
fn time_refills_the_budget() {
    let mut rig = open();
    for _ in 0..60 * 50 {
        rig.now = rig.now + Duration::from_millis(20);
        rig.take([ping(SYN, 0)]);
        rig.drain();
    }
    assert!(rig.machine.budget() >= 999, "fifty a second for a minute");
}

#[test]
fn clear_breaches_are_cut_at_the_first_frame() {
    let overrun = Fault::Overrun {
        stream: 1,
        length: WINDOW + 1,
        credit: WINDOW,
    };
    let giant = Fault::TooLong {
        stream: 1,
        length: u32::MAX,
    };
    let cases = [
        (update(SYN, 2, 0), Fault::Parity(2)),
        (update(SYN, 0, 0), Fault::Parity(0)),
        (data(SYN, 1, "x"), Fault::Duplicate(1)),
        (frame(Kind::Data, 0, 1, WINDOW + 1), overrun),
        (frame(Kind::Data, 0, 1, u32::MAX), giant),
        (update(0, 1, u32::MAX), Fault::Overflow(1)),
        (
            frame(Kind::Data, 0, 99, (16 << 20) + 1),
            Fault::TooLong {
                stream: 99,
                length: (16 << 20) + 1,
            },
        ),
    ];
    for (breach, expected) in cases {
        let mut rig = open();
        let bytes = [breach.bytes(), vec![0; 1000].into(), update(SYN, 3, 0).bytes()].concat();
        assert_eq!(rig.machine.receive(rig.now, bytes.into()), Err(expected));
        assert_eq!(rig.drain(), [go_away(1)]);
        assert_eq!(
            (rig.machine.unread().total, rig.accept()),
            (0, None),
            "the rest is neither kept nor delivered"
        );
    }
    for (at, value, expected) in [(0, 1, Fault::Version(1)), (1, 9, Fault::Type(9))] {
        let mut header = Header::new(Kind::Data, Flags::NONE, 1, 0).encode();
        header[at] = value;
        assert_eq!(
            open().machine.receive(open().now, header.to_vec().into()),
            Err(expected)
        );
    }
}

#[test]
fn overflow_is_judged_on_open_streams_only() {
    let mut rig = open();
    rig.machine.finish(1).unwrap();
    rig.drain();
    rig.take([update(0, 1, u32::MAX), update(0, 1, u32::MAX)]);
    rig.take([update(RST, 1, u32::MAX), update(0, 1, u32::MAX)]);
}

#[test]
fn credit_after_both_ends_is_free() {
    let mut rig = Rig::new(Side::Server);
    for n in 0..3000 {
        let id = n * 2 + 1;
        rig.take([data(SYN | FIN, id, "a")]);
        rig.accept();
        rig.write(id, b"b");
        rig.machine.finish(id).unwrap();
        rig.drain();
        rig.machine.release(rig.now, id);
        rig.take([update(0, id, 1)]);
        if n > 1000 {
            rig.take([update(0, id - 2000, 1)]);
        }
    }
    assert_eq!((rig.machine.budget(), rig.machine.stream_count()), (1000, 0));
}

#[test]
fn a_peer_that_takes_no_answers_is_not_read() {
    let mut rig = Rig::new(Side::Server);
    for n in 0..512 {
        assert!(rig.machine.wants_read());
        rig.take([ping(SYN, n)]);
    }
    assert!(!rig.machine.wants_read());
    assert_eq!(rig.drain().len(), 512);
    assert!(rig.machine.wants_read());
}

proptest! {
    #[test]
    fn arbitrary_bytes_break_nothing(
        input in proptest::collection::vec(any::<u8>(), 0..600),
        script in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        prop_assert_eq!(probe(&input, &script), Ok(()));
    }

    #[test]
    fn arbitrary_frames_break_nothing(
        frames in proptest::collection::vec((0u8..4, 0u16..16, 0u32..16, 0u32..400), 0..80),
        script in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let kinds = [Kind::Data, Kind::WindowUpdate, Kind::Ping, Kind::GoAway];
        let mut input = Vec::new();
        for (kind, flags, stream, length) in frames {
            let kind = kinds[usize::from(kind)];
            input.extend_from_slice(&frame(kind, flags, stream, length).bytes());
            if kind == Kind::Data {
                input.resize(input.len() + length as usize, 7);
            }
        }
        prop_assert_eq!(probe(&input, &script), Ok(()));
    }
}
