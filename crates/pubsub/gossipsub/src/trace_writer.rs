//! Steps of the protocol as lines of JSON, in a file or wherever bytes can be written.

use crate::{TraceEvent, TraceSink};
use sinew_core::{Host, Registrar, Service, ServiceConfig};
use sinew_runtime::Flusher;
use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Bytes of lines that wait to be written; what comes beyond is lost, and counted.
pub const MAX_TRACE: usize = 8 << 20;

/// How often they are written.
const EVERY: Duration = Duration::from_secs(1);

/// Writes each step as a line of JSON ([`TraceEvent::to_json`]). Clones write to the same place.
///
/// It is a sink, and a service that writes every second; without the service, [`TraceWriter::flush`] writes. What waits is
/// written as well when the last clone is dropped.
///
/// ```
/// # use sinew_gossipsub::{Config, TraceWriter};
/// # fn example(builder: &mut sinew_host::HostBuilder) -> std::io::Result<()> {
/// let traces = builder.add(TraceWriter::new(std::fs::File::create("/tmp/trace.jsonl")?));
/// let gossipsub = builder.add(Config::default().trace(traces));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TraceWriter {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Vec<u8>>,
    out: Mutex<Box<dyn Write + Send>>,
    lost: AtomicU64,
}

impl TraceWriter {
    /// Writes to `out`, which is not asked for anything but bytes and may be slow.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                waiting: Mutex::default(),
                out: Mutex::new(Box::new(out)),
                lost: AtomicU64::new(0),
            }),
        }
    }

    /// How many steps were lost since too many waited to be written, or they could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Writes what waits. Blocks.
    ///
    /// # Errors
    /// That of whatever is written to; what was to be written is lost.
    pub fn flush(&self) -> io::Result<()> {
        self.shared.flush()
    }
}

impl TraceSink for TraceWriter {
    fn trace(&self, event: &TraceEvent) {
        let mut line = event.to_json().to_string().into_bytes();
        line.push(b'\n');
        let mut waiting = lock(&self.shared.waiting);
        if waiting.len() + line.len() <= MAX_TRACE {
            waiting.append(&mut line);
        } else {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn flush(&self) -> io::Result<()> {
        let mut out = lock(&self.out);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        let written = out.write_all(&waiting).and_then(|()| out.flush());
        written.inspect_err(|_| {
            let lines = waiting.iter().filter(|byte| **byte == b'\n').count();
            self.lost.fetch_add(lines as u64, Ordering::Relaxed);
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody is there to hear of it.
        let _ = self.flush();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ServiceConfig for TraceWriter {
    type Handle = Self;

    fn build(self, _: Host, _: &mut Registrar) -> (Self, Box<dyn Service>) {
        let writer = self.clone();
        let flusher = Flusher::new("gossipsub trace", EVERY, move || writer.flush());
        (self, Box::new(flusher))
    }
}

impl fmt::Debug for TraceWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceWriter")
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
