//! The state of one stream.
//!
//! The two directions end on their own; a reset ends both at once.
//!
//! ```text
//!            finish()            Close leaves                   Close arrives
//! sending: Open ──────► Finishing ──────► Finished   receiving: open ──────► remote_finished
//!
//! any state ── Reset arrives, or reset() ──► over
//! gone from the table: nobody holds it, and it is over or both directions have finished
//! ```

use super::{End, StreamError};
use sinew_machine::Instant;
use sinew_session::machine::{Inbox, Outbox};

/// Which stream: both sides number theirs by themselves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    /// The number on the wire.
    pub number: u64,
    /// We opened it.
    pub ours: bool,
}

impl From<Id> for u64 {
    /// A number for both sides' streams; those on the wire have at most 60 bits.
    fn from(id: Id) -> Self {
        id.number << 1 | Self::from(id.ours)
    }
}

/// Our direction of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sending {
    Open,
    /// The end is queued behind the payload.
    Finishing,
    Finished,
}

/// What becomes of payload that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intake {
    Keep,
    /// Dropped: its user does not want it.
    Discard,
    /// Dropped, up to so many more bytes: its user is gone for good.
    Drain(usize),
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream<W> {
    /// Somebody has it, or will when it is accepted.
    pub(crate) held: bool,
    pub(crate) accepted: bool,
    /// The remote knows of it.
    pub(crate) known: bool,
    /// In the round of those that have something to send.
    pub(crate) scheduled: bool,
    /// In the queue of those that wait for room.
    pub(crate) queued_writer: bool,

    pub(crate) sending: Sending,
    pub(crate) outbox: Outbox,
    /// Some payload of ours has left.
    pub(crate) answered: bool,

    pub(crate) remote_finished: bool,
    pub(crate) intake: Intake,
    pub(crate) inbox: Inbox,
    /// When it was last read, or when the first unread byte arrived.
    pub(crate) unread_since: Instant,

    /// Reset, and by whom.
    pub(crate) over: Option<StreamError>,
    pub(crate) reader: Option<W>,
    pub(crate) writer: Option<W>,
    pub(crate) reset_watcher: Option<W>,
}

impl<W> Stream<W> {
    pub(crate) fn new(now: Instant, ours: bool) -> Self {
        Self {
            held: true,
            accepted: ours,
            known: !ours,
            scheduled: false,
            queued_writer: false,
            sending: Sending::Open,
            outbox: Outbox::default(),
            answered: false,
            remote_finished: false,
            intake: Intake::Keep,
            inbox: Inbox::default(),
            unread_since: now,
            over: None,
            reader: None,
            writer: None,
            reset_watcher: None,
        }
    }

    /// Whether the remote may no longer send payload.
    pub(crate) fn is_deaf(&self) -> bool {
        self.remote_finished || self.over.is_some()
    }

    /// Whether nothing more can happen on the wire.
    pub(crate) fn is_done(&self) -> bool {
        self.over.is_some() || (self.remote_finished && self.sending == Sending::Finished)
    }

    pub(crate) fn may_write(&self, end: Option<End>) -> Result<(), StreamError> {
        if let Some(error) = self.over {
            return Err(error);
        }
        if let Some(end) = end {
            return Err(StreamError::Ended(end));
        }
        if self.sending == Sending::Open {
            Ok(())
        } else {
            Err(StreamError::Finished)
        }
    }

    /// Everybody who waits for anything here.
    pub(crate) fn wake_all(&mut self, woken: &mut Vec<W>) {
        woken.extend(self.reader.take());
        woken.extend(self.writer.take());
        woken.extend(self.reset_watcher.take());
    }
}
