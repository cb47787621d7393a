//! The server's side of every service.

use crate::{
    BenchError, Node, Service, Stream, bulk,
    control::{self, Input},
    request::{ANSWER, QUESTION},
};
use bytes::Bytes;
use std::{net::Ipv4Addr, time::Duration};
use tokio::time::Instant;

/// What a client of [`Service::Source`] says: milliseconds and bytes, whichever are over first.
pub(crate) const ORDER: usize = 16;

/// Listens, says where, and serves until standard input ends.
pub(crate) async fn run<N: Node>(stack: &str, ip: Ipv4Addr) -> Result<(), BenchError> {
    let served = N::listener(stack, ip).await?;
    control::listening(N::LIBRARY, &served.addr);
    let mut input = Input::new();
    while input.line().await? {
        control::settled();
    }
    drop(served);
    Ok(())
}

/// Serves one stream to its end.
///
/// # Errors
/// [`BenchError`], when the client does something else than the service says, or has gone.
pub async fn serve<S: Stream>(service: Service, mut stream: S) -> Result<(), BenchError> {
    match service {
        Service::Sink => {
            drain(&mut stream).await?;
        }
        Service::Source => source(&mut stream).await?,
        Service::Request => {
            let read = drain(&mut stream).await?;
            expect("a request", QUESTION as u64, read)?;
            stream.write(Bytes::from_static(&[2; ANSWER])).await?;
        }
    }
    Ok(stream.finish().await?)
}

/// Reads to the end, and says how much there was.
pub(crate) async fn drain<S: Stream>(stream: &mut S) -> Result<u64, BenchError> {
    let mut read = 0;
    loop {
        let chunk = stream.read().await?.len();
        if chunk == 0 {
            return Ok(read);
        }
        read += chunk as u64;
    }
}

/// An error, unless as many bytes came as the case says.
pub(crate) fn expect(what: &'static str, expected: u64, found: u64) -> Result<(), BenchError> {
    if expected == found {
        Ok(())
    } else {
        Err(BenchError::Bytes {
            what,
            expected,
            found,
        })
    }
}

async fn source<S: Stream>(stream: &mut S) -> Result<(), BenchError> {
    let mut order = Vec::with_capacity(ORDER);
    while order.len() < ORDER {
        let chunk = stream.read().await?;
        if chunk.is_empty() {
            return expect("an order", ORDER as u64, order.len() as u64);
        }
        order.extend_from_slice(chunk);
    }
    let number = |from: usize| {
        order[from..from + 8]
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let until = Instant::now() + Duration::from_millis(number(0));
    bulk::send(stream, until, number(8)).await?;
    Ok(())
}
