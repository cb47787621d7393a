//! Arbitrary bytes in arbitrary pieces: what must hold whatever a peer sends.

use super::{Batch, connection::Connection, stream::Id};
use crate::Config;
use bytes::{Buf, Bytes};
use sinew_machine::{CloseCode, Instant};
use sinew_session::machine::Unread;
use std::{task::Poll, time::Duration};

/// A rule that a peer made the machine break. There should be no way to one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// More payload lies unread than arrived, or it is miscounted.
    Unread,
    /// There are more streams than were opened, or they are miscounted.
    Streams,
    /// Answers wait without bound, or what waits is miscounted.
    Answers,
    /// An ended connection still moves.
    AfterEnd,
}

/// Feeds `input` to a connection, cut by the lengths and spoken between as `script` says, and checks after each
/// piece what must always hold. For fuzzing: never panics, allocates no more than the bounds say.
///
/// # Errors
/// The [`Invariant`] that did not hold.
pub fn probe(input: &[u8], script: &[u8]) -> Result<(), Invariant> {
    let mut now = Instant::ZERO;
    let config = Config {
        max_stream_unread: 600,
        max_unread: 2000,
        accept_backlog: 4,
        max_inbound: 8,
        ..Config::default()
    };
    let mut machine = Connection::<()>::new(config, now);
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
        machine.transmit(usize::MAX, &mut batch);
        machine.written(batch.remaining());
        batch.advance(batch.remaining());
        check(&machine, input.len())?;
    }
    Ok(())
}

/// What an application might do between two pieces.
fn act(machine: &mut Connection<()>, now: &mut Instant, byte: u8) {
    let id = Id {
        number: u64::from(byte >> 5),
        ours: byte & 16 != 0,
    };
    match byte & 15 {
        0 => _ = machine.accept(|| ()),
        1 => _ = machine.read(*now, id, usize::MAX, || ()),
        2 => _ = machine.write_slice(id, &[byte; 300], || ()),
        3 => _ = machine.finish(id),
        4 => machine.reset(id, CloseCode(u32::from(byte))),
        5 => machine.release(*now, id),
        6 => machine.stop(id),
        7 => {
            let _: Poll<_> = machine.open(*now, &mut None, || ());
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
    let lengths = || machine.streams.values().map(|stream| stream.inbox.len());
    let most = machine.config.max_stream_unread;
    let mut unread = Unread::default();
    for stream in machine.streams.values() {
        unread.exchange(Unread::default(), stream.inbox.unread(0));
    }
    if unread != machine.unread || unread.total > arrived {
        return Err(Invariant::Unread);
    }
    if lengths().filter(|len| *len >= most).count() != machine.full {
        return Err(Invariant::Unread);
    }
    let queued: usize = machine.streams.values().map(|stream| stream.outbox.len()).sum();
    if queued != machine.room.queued() || machine.resets.len() > arrived + machine.stream_count() {
        return Err(Invariant::Answers);
    }
    let inbound = machine.streams.keys().filter(|id| !id.ours).count();
    let unsent = machine.streams.values().filter(|stream| !stream.known).count();
    let counted = inbound == machine.inbound && unsent == machine.unsent;
    if !counted
        || inbound > machine.config.max_inbound
        || machine.backlog.len() > machine.config.accept_backlog
    {
        return Err(Invariant::Streams);
    }
    Ok(())
}
