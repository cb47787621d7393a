//! The side that is measured against: reads everything, then sends what was wanted.

use crate::dialect::Opening;
use bytes::Bytes;
use sinew_core::{Stream, code};
use sinew_runtime::timeout;
use std::{io, time::Duration};

/// What is sent: zeros, of which no second copy is made.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Silence after which a client that has sent what the sized dialect announces counts as one that does not end its
/// side. A client of the specification's dialect would have to pause there, at this very byte.
const SETTLED: Duration = Duration::from_secs(1);

/// A piece of at most `left` zeros.
pub(crate) fn zeros(left: u64) -> Bytes {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
    Bytes::from_static(&ZEROS[..length])
}

/// Serves one stream. Nothing is kept of what comes, and what is sent is always the same piece: its cost is time.
pub(crate) async fn serve(mut stream: Stream, stall: Duration) {
    match transfer(&mut stream, stall).await {
        Ok(()) => drop(timeout(stall, stream.finish()).await),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            stream.reset(code::stream::GARBAGE_COLLECTED);
        }
        Err(_) => stream.reset(code::stream::PROTOCOL_VIOLATION),
    }
}

async fn transfer(stream: &mut Stream, stall: Duration) -> io::Result<()> {
    let opening = drain(stream, stall).await?;
    // spec: perf, Protocol: nothing is sent before the client has ended
    let mut left = opening.wanted().ok_or(io::ErrorKind::UnexpectedEof)?;
    while left > 0 {
        let piece = zeros(left);
        left -= piece.len() as u64;
        timeout(stall, stream.write_chunk(piece))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
    }
    Ok(())
}

/// Reads to the end of what the client sends.
async fn drain(stream: &mut Stream, stall: Duration) -> io::Result<Opening> {
    let mut opening = Opening::default();
    loop {
        let patience = if opening.may_be_all() { SETTLED } else { stall };
        match timeout(patience, stream.read_chunk()).await {
            Ok(Ok(Some(chunk))) => opening.receive(&chunk),
            Ok(Ok(None)) => return Ok(opening),
            Ok(Err(error)) => return Err(error),
            Err(_) if opening.may_be_all() => return Ok(opening),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
