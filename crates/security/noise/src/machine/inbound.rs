//! The receiving half of the transport phase: frames in, text out.

use std::ops::Range;

use sinew_crypto::aead::TAG;
use sinew_wire::Buffer;

use super::{FrameError, cipher::Counted, receive};

/// Empty frames that a peer may send ahead of useful ones. Honest peers send none at all.
const EMPTY_FRAMES: u32 = 1_000;
/// So many bytes of text earn a peer one more empty frame.
const TEXT_AN_EMPTY_FRAME: usize = 256;

/// Opens what the peer sent.
#[derive(Debug)]
pub struct Inbound {
    key: Counted,
    buffer: Buffer,
    /// Text that was opened where it lay, because the reader had no room for all of it.
    text: Range<usize>,
    /// How many more empty frames are borne.
    patience: u32,
    failed: Option<FrameError>,
}

impl Inbound {
    /// Opens with `key`, beginning with what `buffer` already holds.
    pub(crate) fn new(key: &[u8; 32], buffer: Buffer) -> Self {
        Self {
            key: Counted::new(key),
            buffer,
            text: 0..0,
            patience: EMPTY_FRAMES,
            failed: None,
        }
    }

    /// Opens with `key` what will be given to [`Inbound::push`].
    #[must_use]
    pub fn with_key(key: &[u8; 32]) -> Self {
        Self::new(key, Buffer::new())
    }

    /// Adds bytes as they came from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.append(bytes);
    }

    /// The most that [`Inbound::read`] could give now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.text.len() + self.buffer.unread().len()
    }

    /// Writes text to `out` and says how much: zero when no whole frame is there.
    ///
    /// A frame that fits is opened straight into `out`, so that decryption is the only copy.
    ///
    /// # Errors
    /// [`FrameError`], then and ever after. What came before the fault was given out.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, FrameError> {
        let mut written = self.take_text(out);
        while written < out.len() && self.failed.is_none() {
            match self.open_frame(&mut out[written..], written > 0) {
                Ok(Some(len)) => written += len,
                Ok(None) => break,
                Err(error) => self.failed = Some(error),
            }
        }
        match self.failed {
            Some(error) if written == 0 => Err(error),
            _ => Ok(written),
        }
    }

    /// Whether the bytes may end here.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] inside a frame, or the error that [`Inbound::read`] gave.
    pub fn end(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.available() > 0 => Err(FrameError::Truncated),
            None => Ok(()),
        }
    }

    /// The buffer to read into, once [`Inbound::read`] has nothing left to give.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.room(receive::LARGEST)
    }

    /// Gives back memory while nothing arrives. Called like [`Inbound::room`].
    pub(crate) fn rest(&mut self) {
        self.buffer.rest();
    }

    /// Hands out text that was opened before.
    fn take_text(&mut self, out: &mut [u8]) -> usize {
        let len = self.text.len().min(out.len());
        if len == 0 {
            // Without text the place is of the past, and may be of bytes that are gone.
            return 0;
        }
        let from = self.text.start;
        out[..len].copy_from_slice(self.buffer.at(from..from + len));
        self.text.start += len;
        len
    }

    /// Opens the next frame and says how much of its text went to `out`; `None` if there is no whole frame, or
    /// if it does not fit and `later` says that it need not be opened yet.
    fn open_frame(&mut self, out: &mut [u8], later: bool) -> Result<Option<usize>, FrameError> {
        if let Some(len @ ..TAG) = receive::announced(self.buffer.unread()) {
            return Err(FrameError::TooShort(len));
        }
        let Some(frame) = receive::frame(self.buffer.unread()) else {
            return Ok(None);
        };
        let len = frame.len() - TAG;
        if len == 0 {
            self.patience = self.patience.checked_sub(1).ok_or(FrameError::EmptyFlood)?;
        }
        if len <= out.len() {
            let sealed = &mut self.buffer.unread_mut()[frame.clone()];
            self.key.open_into(sealed, &mut out[..len])?;
            self.opened(frame.end, len);
            return Ok(Some(len));
        }
        if later {
            return Ok(None);
        }
        self.key.open(&mut self.buffer.unread_mut()[frame.clone()])?;
        self.text = self.buffer.place(frame.start..frame.start + len);
        self.opened(frame.end, len);
        Ok(Some(self.take_text(out)))
    }

    /// A frame that ends there was opened.
    fn opened(&mut self, end: usize, len: usize) {
        self.buffer.take(end);
        let earned = u32::try_from(len / TEXT_AN_EMPTY_FRAME).unwrap_or(u32::MAX);
        self.patience = self.patience.saturating_add(earned).min(EMPTY_FRAMES);
    }
}
