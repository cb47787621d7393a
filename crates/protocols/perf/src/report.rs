//! What is measured, and what came of it.

use std::time::Duration;

/// How much is moved in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// As many bytes as go in this time.
    For(Duration),
}

/// One measurement: first the upload, then the download. Nothing unless told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Request {
    /// What we send.
    pub upload: Amount,
    /// What the peer sends.
    pub download: Amount,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            upload: Amount::Bytes(0),
            download: Amount::Bytes(0),
        }
    }
}

impl Request {
    /// Sets [`Request::upload`].
    #[must_use]
    pub fn upload(mut self, amount: Amount) -> Self {
        self.upload = amount;
        self
    }

    /// Sets [`Request::download`].
    #[must_use]
    pub fn download(mut self, amount: Amount) -> Self {
        self.download = amount;
        self
    }
}

/// How far a measurement is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Live {
    /// Since it began.
    pub elapsed: Duration,
    /// Bytes sent so far.
    pub uploaded: u64,
    /// Bytes received so far.
    pub downloaded: u64,
}

/// What one direction came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Transfer {
    /// Bytes moved.
    pub bytes: u64,
    /// How long that took.
    pub time: Duration,
}

impl Transfer {
    /// The rate, as network people count.
    #[must_use]
    pub fn gigabits_per_second(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 {
            self.bytes as f64 * 8.0 / seconds / 1e9
        } else {
            0.0
        }
    }
}

/// What a measurement came to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Report {
    /// From the opening of the stream until the peer had read the last byte: its first byte or its end tells.
    pub upload: Transfer,
    /// From then on until the last byte was there.
    pub download: Transfer,
    /// From the opening of the stream to its end.
    pub total: Duration,
}
