//! The state of one stream.
//!
//! The two directions end on their own; a reset ends both at once.
//!
//! ```text
//!            finish()            FIN leaves                    FIN arrives
//! sending: Open ──────► Finishing ──────► Finished    receiving: open ──────► remote_finished
//!
//! any state ── RST arrives, or reset() ──► over
//! gone from the table: nobody holds it, and it is over or both directions have finished
//! ```

use super::{
    StreamError,
    window::{INITIAL_WINDOW, Window},
};
use sinew_machine::Instant;
use sinew_session::machine::{Inbox, Outbox, Unread};

/// Frames that may arrive on a stream after its end before they cost anything.
pub(crate) const LATE_FRAMES: u16 = 64;

/// Our direction of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sending {
    Open,
    /// The end is queued behind the payload.
    Finishing,
    Finished,
}

/// Which flag the stream's next frame has to carry first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Greeting {
    None,
    /// We opened it and the remote does not know yet.
    Syn,
    /// The remote opened it and we have not said that we accept it.
    Ack,
}

/// What becomes of payload that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intake {
    Keep,
    /// Dropped at once, and its credit returned.
    Discard,
    /// Dropped, without new credit: the reader is gone for good.
    Drain,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream<W> {
    /// Somebody has it, or will when it is accepted.
    pub(crate) held: bool,
    /// We opened it.
    pub(crate) local: bool,
    pub(crate) accepted: bool,
    pub(crate) acked: bool,
    /// The acknowledgement has waited long enough for payload to ride on.
    pub(crate) ack_overdue: bool,
    pub(crate) greeting: Greeting,
    /// In the round of those that have something to send.
    pub(crate) scheduled: bool,
    /// In the queue of those that wait for room.
    pub(crate) queued_writer: bool,

    pub(crate) sending: Sending,
    pub(crate) send_credit: u32,
    pub(crate) outbox: Outbox,
    /// Some payload of ours has left.
    pub(crate) answered: bool,

    pub(crate) remote_finished: bool,
    pub(crate) intake: Intake,
    pub(crate) inbox: Inbox,
    /// When it was last read, or when the first unread byte arrived.
    pub(crate) unread_since: Instant,
    pub(crate) window: Window,
    /// What of the window's growth is reserved.
    pub(crate) growth: u64,
    /// Frames that may still arrive after the end.
    pub(crate) late_frames: u16,

    /// Reset, and by whom.
    pub(crate) over: Option<StreamError>,
    pub(crate) reader: Option<W>,
    pub(crate) writer: Option<W>,
    pub(crate) reset_watcher: Option<W>,
}

impl<W> Stream<W> {
    pub(crate) fn new(now: Instant, local: bool) -> Self {
        Self {
            held: true,
            local,
            accepted: local,
            acked: false,
            ack_overdue: false,
            greeting: if local { Greeting::Syn } else { Greeting::None },
            scheduled: false,
            queued_writer: false,
            sending: Sending::Open,
            send_credit: INITIAL_WINDOW,
            outbox: Outbox::default(),
            answered: false,
            remote_finished: false,
            intake: Intake::Keep,
            inbox: Inbox::default(),
            unread_since: now,
            window: Window::new(now),
            growth: 0,
            late_frames: LATE_FRAMES,
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

    /// What nobody has read.
    pub(crate) fn unread(&self) -> Unread {
        self.inbox
            .unread(usize::try_from(self.growth).unwrap_or(usize::MAX))
    }

    /// What the remote may make it hold beyond the first window: what lies unread, and what may still come.
    pub(crate) fn promised_growth(&self) -> u64 {
        let credit = if self.is_deaf() { 0 } else { self.window.credit() };
        (self.inbox.len() as u64 + u64::from(credit)).saturating_sub(u64::from(INITIAL_WINDOW))
    }

    /// Whether the remote should hear of credit.
    pub(crate) fn wants_update(&self) -> bool {
        !self.is_deaf() && self.intake != Intake::Drain && self.window.is_due(self.inbox.len())
    }

    /// A frame with `bytes` of payload came after the end. Whether it may have been under way.
    pub(crate) fn allows_late(&mut self, bytes: u32) -> bool {
        if self.late_frames == 0 || self.window.credit() < bytes {
            return false;
        }
        self.late_frames -= 1;
        self.window.spend(bytes);
        true
    }

    /// Everybody who waits for anything here.
    pub(crate) fn wake_all(&mut self, woken: &mut Vec<W>) {
        woken.extend(self.reader.take());
        woken.extend(self.writer.take());
        woken.extend(self.reset_watcher.take());
    }
}
