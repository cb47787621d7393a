//! The receiving half: frames in, content out, in the same buffer.

use sinew_core::Role;
use sinew_machine::{Budget, Instant, Spent};

use super::{
    FrameError,
    header::{Header, Kind, MAX_CONTROL, Partial},
    mask,
};

/// Reads the frames of the other side.
///
/// ```text
///          header whole                 all content read
/// Header ---------------> Content ---------------------------> Header
///                                   content of a close: Closed
/// ```
#[derive(Debug)]
pub struct Inbound {
    from: Role,
    header: Partial,
    content: Option<Content>,
    /// Inside a message of several frames.
    unfinished: bool,
    control: Vec<u8>,
    pong: Option<Vec<u8>>,
    closed: bool,
    budget: Budget,
}

/// The frame that is being read.
#[derive(Debug)]
struct Content {
    kind: Kind,
    left: usize,
    /// How much of it was read.
    read: usize,
    mask: Option<[u8; 4]>,
}

impl Inbound {
    /// Reads what `from` sends: the dialler is the client.
    #[must_use]
    pub fn new(from: Role, now: Instant) -> Self {
        Self {
            from,
            header: Partial::default(),
            content: None,
            unfinished: false,
            control: Vec::new(),
            pong: None,
            closed: false,
            budget: Budget::new(now),
        }
    }

    /// Takes all of `bytes` as they came from the wire, and says how many bytes of content there are now at their beginning.
    /// What follows a close frame is ignored.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is then of no more use, and nothing in `bytes` counts.
    pub fn receive(&mut self, bytes: &mut [u8], now: Instant) -> Result<usize, FrameError> {
        let (mut at, mut kept) = (0, 0);
        while at < bytes.len() && !self.closed {
            let Some(content) = &mut self.content else {
                let header = self.header.push(bytes[at], self.from)?;
                at += 1;
                if let Some(header) = header {
                    self.begin(header, now)?;
                }
                continue;
            };
            let len = content.left.min(bytes.len() - at);
            let is_control = content.kind.is_control();
            if at != kept && !is_control {
                bytes.copy_within(at..at + len, kept);
            }
            let place = if is_control { at } else { kept };
            let piece = &mut bytes[place..place + len];
            content.take(piece);
            if is_control {
                self.control.extend_from_slice(piece);
            } else {
                self.budget.useful(len);
                kept += len;
            }
            at += len;
            self.end()?;
        }
        Ok(kept)
    }

    /// What is to be sent back for the newest ping.
    pub fn pong(&mut self) -> Option<Vec<u8>> {
        self.pong.take()
    }

    /// Whether the other side said that it sends no more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the bytes may end here.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.closed || (self.header.is_empty() && self.content.is_none()) {
            Ok(())
        } else {
            Err(FrameError::Truncated)
        }
    }

    fn begin(&mut self, header: Header, now: Instant) -> Result<(), FrameError> {
        match header.kind {
            Kind::Continuation if !self.unfinished => return Err(FrameError::NothingToContinue),
            Kind::Binary if self.unfinished => return Err(FrameError::Interleaved),
            Kind::Continuation | Kind::Binary => self.unfinished = !header.last,
            Kind::Close | Kind::Ping | Kind::Pong => self.control = Vec::with_capacity(MAX_CONTROL),
        }
        if header.kind != Kind::Close && (header.len == 0 || header.kind.is_control()) {
            self.budget.charge(now, 1).map_err(|Spent| FrameError::Flood)?;
        }
        self.content = Some(Content {
            kind: header.kind,
            left: usize::try_from(header.len).map_err(|_| FrameError::TooLong(header.len))?,
            read: 0,
            mask: header.mask,
        });
        self.end()
    }

    /// Goes on to the next header if the frame is at its end.
    fn end(&mut self) -> Result<(), FrameError> {
        let Some(content) = self.content.take_if(|content| content.left == 0) else {
            return Ok(());
        };
        let control = std::mem::take(&mut self.control);
        match content.kind {
            Kind::Close if control.len() == 1 => return Err(FrameError::HalfCode),
            Kind::Close => self.closed = true,
            Kind::Ping => self.pong = Some(control),
            Kind::Pong | Kind::Binary | Kind::Continuation => {}
        }
        Ok(())
    }
}

impl Content {
    /// Takes the mask off the next bytes.
    fn take(&mut self, piece: &mut [u8]) {
        if let Some(key) = self.mask {
            mask::apply(piece, key, self.read);
        }
        self.left -= piece.len();
        self.read += piece.len();
    }
}
