//! How sessions and streams end, and why one cannot be opened.

use sinew_core::CloseReason;
use sinew_machine::CloseCode;
use std::fmt;

/// What a remote can do, or fail to do, to have its session cut.
pub trait Fault: Copy + PartialEq + fmt::Debug + Send + 'static {
    /// The fault as the reason of a closed connection.
    fn reason(self) -> CloseReason;
    /// The code that goes with it.
    fn code(self) -> CloseCode;
}

/// Why a session has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum End<F> {
    /// We closed it.
    Closed(CloseCode),
    /// The remote said goodbye.
    Remote(CloseCode),
    /// The remote broke a rule, fell silent or is stuck.
    Fault(F),
    /// The bytes underneath ended without a goodbye.
    Lost,
}

impl<F: Fault> End<F> {
    /// The code that goes with it.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        match self {
            Self::Closed(code) | Self::Remote(code) => *code,
            Self::Fault(fault) => fault.code(),
            Self::Lost => CloseCode::NONE,
        }
    }
}

/// Why a stream cannot be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamError<F> {
    /// The remote reset it.
    Reset(CloseCode),
    /// We reset it: its user did, or it was left unread for too long.
    Abandoned(CloseCode),
    /// Its session has ended.
    Ended(End<F>),
    /// We finished writing before.
    Finished,
}

/// Why no stream was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused<F> {
    /// The session has ended.
    Ended(End<F>),
    /// All numbers have been used.
    Exhausted,
}

/// A place in the queue of those who want to open a stream.
#[derive(Debug)]
pub struct Ticket(pub u64);
