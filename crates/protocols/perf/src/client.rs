//! The side that measures.

use crate::{Amount, Live, PROTOCOL, PerfError, Report, Request, Transfer, server::zeros};
use bytes::Bytes;
use sinew_core::{CloseCode, Connection, Host, OpenOptions, PeerId, Stream};
use sinew_machine::Instant;
use sinew_runtime::{now, timeout};
use std::{io, time::Duration};

/// Measures. Cheap to clone; several measurements may run at once, each on its own stream.
#[derive(Clone, Debug)]
pub struct Perf {
    host: Host,
    stall: Duration,
    options: OpenOptions,
}

/// How often a measurement says how far it is: often enough for a progress bar.
const LIVE: Duration = Duration::from_millis(100);

impl Perf {
    /// A handle that measures only. Add [`Config`](crate::Config) to a node to serve as well.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            host,
            stall: crate::Config::default().stall,
            options: OpenOptions::default(),
        }
    }

    /// How long a transfer may stand still before it is given up. 30 s unless told.
    #[must_use]
    pub fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Lets the end of the upload leave before the peer has agreed, which saves a small exchange a round trip. The host does so
    /// by itself with peers that it knows to be right; js-libp2p resets the stream now and then.
    #[must_use]
    pub fn finish_early(mut self) -> Self {
        self.options = self.options.finish_early();
        self
    }

    /// Runs one measurement with `peer`, over a connection that exists or a new one. `live` is told about ten times a
    /// second how far it is, and once at the end.
    ///
    /// # Errors
    /// [`PerfError`].
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream and ends the measurement.
    pub async fn run(
        &self,
        peer: PeerId,
        request: Request,
        live: impl FnMut(Live) + Send,
    ) -> Result<Report, PerfError> {
        let start = now();
        let opening = self.host.new_stream_with(&peer, [PROTOCOL], self.options.clone());
        let stream = opening.await?;
        Measurement::new(stream, self.stall, start, live)
            .run(request)
            .await
    }

    /// As [`Perf::run`], over this very connection.
    ///
    /// # Errors
    /// [`PerfError`].
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream and ends the measurement.
    pub async fn run_over(
        &self,
        connection: &Connection,
        request: Request,
        live: impl FnMut(Live) + Send,
    ) -> Result<Report, PerfError> {
        let start = now();
        let stream = connection.open_with([PROTOCOL], self.options.clone()).await?;
        Measurement::new(stream, self.stall, start, live)
            .run(request)
            .await
    }
}

struct Measurement<F> {
    stream: Stream,
    peer: PeerId,
    stall: Duration,
    start: Instant,
    live: F,
    counts: Live,
    told: Instant,
}

impl<F: FnMut(Live) + Send> Measurement<F> {
    fn new(stream: Stream, stall: Duration, start: Instant, live: F) -> Self {
        let peer = stream.peer();
        Self {
            stream,
            peer,
            stall,
            start,
            live,
            counts: Live::default(),
            told: start,
        }
    }

    async fn run(mut self, request: Request) -> Result<Report, PerfError> {
        let wanted = match request.download {
            Amount::Bytes(bytes) => bytes,
            // spec: perf, Single connection throughput: to measure for a time, ask for the most and end when it is over
            Amount::For(_) => u64::MAX,
        };
        self.upload(wanted, request.upload).await?;
        let first = self.next_chunk().await?;
        let uploaded = now();
        let until = match request.download {
            Amount::Bytes(_) => None,
            Amount::For(time) => Some(uploaded + time),
        };
        let ended = self.download(first, wanted, until).await?;
        (self.live)(self.counts);
        let report = Report {
            upload: Transfer {
                bytes: self.counts.uploaded,
                time: uploaded - self.start,
            },
            download: Transfer {
                bytes: self.counts.downloaded,
                time: now() - uploaded,
            },
            total: now() - self.start,
        };
        if !ended {
            self.stream.reset(CloseCode::NONE);
        }
        Ok(report)
    }

    async fn upload(&mut self, wanted: u64, amount: Amount) -> Result<(), PerfError> {
        self.write(Bytes::copy_from_slice(&wanted.to_be_bytes())).await?;
        let (mut left, until) = match amount {
            Amount::Bytes(bytes) => (bytes, None),
            Amount::For(time) => (u64::MAX, Some(now() + time)),
        };
        while left > 0 && until.is_none_or(|until| now() < until) {
            let piece = zeros(left);
            let length = piece.len() as u64;
            self.write(piece).await?;
            left -= length;
            self.counts.uploaded += length;
            self.tell();
        }
        let finished = timeout(self.stall, self.stream.finish()).await;
        self.moved(finished.map_err(|_| ()))
    }

    /// Reads what was wanted, or until the time is over. Whether the server has ended.
    async fn download(
        &mut self,
        first: Option<Bytes>,
        wanted: u64,
        until: Option<Instant>,
    ) -> Result<bool, PerfError> {
        let mut next = first;
        while let Some(chunk) = next {
            self.counts.downloaded += chunk.len() as u64;
            self.tell();
            if until.is_some_and(|until| now() >= until) {
                return Ok(false);
            }
            if self.counts.downloaded > wanted {
                break;
            }
            next = self.next_chunk().await?;
        }
        match self.counts.downloaded {
            got if got == wanted => Ok(true),
            got => Err(PerfError::WrongLength {
                peer: self.peer,
                wanted,
                got,
            }),
        }
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), PerfError> {
        let written = timeout(self.stall, self.stream.write_chunk(piece)).await;
        self.moved(written.map_err(|_| ()))
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, PerfError> {
        let read = timeout(self.stall, self.stream.read_chunk()).await;
        self.moved(read.map_err(|_| ()))
    }

    fn moved<T>(&self, result: Result<io::Result<T>, ()>) -> Result<T, PerfError> {
        match result {
            Ok(done) => done.map_err(|error| PerfError::stream(self.peer, error)),
            Err(()) => Err(PerfError::Stalled {
                peer: self.peer,
                after: self.stall,
            }),
        }
    }

    fn tell(&mut self) {
        let now = now();
        self.counts.elapsed = now - self.start;
        if now - self.told >= LIVE {
            self.told = now;
            (self.live)(self.counts);
        }
    }
}
