//! Arbitrary bytes in arbitrary pieces: what must hold whatever a peer sends.

use super::{
    connection::{Connection, Side},
    window::Unbounded,
};
use crate::Config;
use bytes::{Buf, Bytes};
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::{Batch, Unread};
use std::{task::Poll, time::Duration};

/// Streams that a connection without an application can be made to remember at once.
const STREAMS: usize = 512;

/// A rule that a peer made the machine break. There should be no way to one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// More payload lies unread than arrived or than may.
    Unread,
    /// There are more streams than the backlog allows.
    Streams,
    /// Answers wait without bound.
    Answers,
    /// An ended connection still moves.
    AfterEnd,
}

/// Feeds `input` to a server, cut by the lengths and spoken between as `script` says, and checks after each
/// piece what must always hold. For fuzzing: never panics, allocates no more than the bounds say.
///
/// # Errors
/// The [`Invariant`] that did not hold.
pub fn probe(input: &[u8], script: &[u8]) -> Result<(), Invariant> {
    let mut now = Instant::ZERO;
    let mut machine = Connection::<()>::new(Config::default(), Side::Server, now, Box::new(Unbounded));
    let mut batch = Batch::default();
    let mut rest = Bytes::copy_from_slice(input);
    let mut script = script.iter().copied().cycle();
    while !rest.is_empty() {
        let length = usize::from(script.next().unwrap_or(u8::MAX)) + 1;
        let ended = machine.end();
        let _ = machine.receive(now, rest.split_to(length.min(rest.len())));
        check(&machine, input.len())?;
        if ended.is_some() && machine.end() != ended {
            return Err(Invariant::AfterEnd);
        }
        act(&mut machine, &mut now, script.next().unwrap_or(0));
        machine.transmit(now, usize::MAX, &mut batch);
        machine.written(batch.remaining());
        batch.advance(batch.remaining());
        check(&machine, input.len())?;
    }
    Ok(())
}

/// What an application might do between two pieces.
fn act(machine: &mut Connection<()>, now: &mut Instant, byte: u8) {
    let id = u32::from(byte >> 4);
    match byte & 15 {
        0 => _ = machine.accept(|| ()),
        1 => _ = machine.read(*now, id, usize::MAX, || ()),
        2 => _ = machine.write_slice(id, &[byte; 300], || ()),
        3 => _ = machine.finish(id),
        4 => machine.reset(*now, id, CloseCode(u32::from(byte))),
        5 => machine.release(*now, id),
        6 => machine.stop(id),
        7 => {
            if let Poll::Ready(Ok(id)) = machine.open(*now, &mut None, || ()) {
                machine.announce(id);
            }
        }
        8 => {
            *now = *now + Duration::from_millis(u64::from(byte) * 50);
            machine.handle_timeout(*now);
        }
        9 => machine.compact(),
        10 => machine.shrink(),
        11 if byte == 11 => machine.close(*now, CloseCode(5)),
        _ => _ = machine.deadline(),
    }
}

fn check(machine: &Connection<()>, arrived: usize) -> Result<(), Invariant> {
    let mut unread = Unread::default();
    for stream in machine.streams.values() {
        unread.exchange(Unread::default(), stream.unread());
    }
    if unread != machine.unread || unread.total > arrived {
        return Err(Invariant::Unread);
    }
    let queued: usize = machine.streams.values().map(|stream| stream.outbox.len()).sum();
    if queued != machine.room.queued() || machine.control.len() > arrived / 12 + machine.stream_count() + 2 {
        return Err(Invariant::Answers);
    }
    if machine.backlog.len() > machine.config.accept_backlog || machine.stream_count() > STREAMS + arrived {
        return Err(Invariant::Streams);
    }
    Ok(())
}
