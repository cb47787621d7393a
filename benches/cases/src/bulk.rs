//! Bulk: one direction for some seconds, until the receiver has read all.

use crate::{
    BenchError, Connection, Service, Stream,
    figures::Figures,
    server::{ORDER, drain},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// One write.
const CHUNK: usize = 64 << 10;

/// The time that an order by bytes alone leaves.
const LONG: Duration = Duration::from_secs(3600);

/// Moves bytes on some streams of one connection at once.
pub(crate) async fn run<C: Connection>(
    connection: Arc<C>,
    service: Service,
    streams: usize,
    time: Duration,
) -> Result<Figures, BenchError> {
    let began = Instant::now();
    let mut moving = JoinSet::new();
    for _ in 0..streams {
        let connection = connection.clone();
        moving.spawn(async move {
            match service {
                Service::Source => download(&*connection, time, u64::MAX).await,
                Service::Sink | Service::Request => upload(&*connection, began + time, u64::MAX).await,
            }
        });
    }
    let mut bytes = 0;
    while let Some(moved) = moving.join_next().await {
        bytes += moved??;
    }
    Ok(Figures::counted(streams as u64, bytes, began.elapsed()))
}

/// So many bytes in each direction, one after the other.
pub(crate) async fn both_ways<C: Connection>(connection: &C, bytes: u64) -> Result<(), BenchError> {
    upload(connection, Instant::now() + LONG, bytes).await?;
    let back = download(connection, LONG, bytes).await?;
    crate::server::expect("a download", bytes, back)
}

/// Writes until the time or the bytes are over, and says how much that was.
pub(crate) async fn send<S: Stream>(stream: &mut S, until: Instant, bytes: u64) -> Result<u64, BenchError> {
    let chunk = Bytes::from(vec![1; CHUNK]);
    let mut sent = 0;
    while sent < bytes && Instant::now() < until {
        let length = usize::try_from(bytes - sent).map_or(CHUNK, |left| left.min(CHUNK));
        stream.write(chunk.slice(..length)).await?;
        sent += length as u64;
    }
    Ok(sent)
}

/// Sends, and waits until the server has read all of it.
async fn upload<C: Connection>(connection: &C, until: Instant, bytes: u64) -> Result<u64, BenchError> {
    let mut stream = connection.open(Service::Sink).await?;
    let sent = send(&mut stream, until, bytes).await?;
    stream.finish().await?;
    let back = drain(&mut stream).await?;
    crate::server::expect("the end of an upload", 0, back)?;
    Ok(sent)
}

/// Orders, and reads to the end.
async fn download<C: Connection>(connection: &C, time: Duration, bytes: u64) -> Result<u64, BenchError> {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut order = Vec::with_capacity(ORDER);
    order.extend_from_slice(&millis.to_be_bytes());
    order.extend_from_slice(&bytes.to_be_bytes());
    let mut stream = connection.open(Service::Source).await?;
    stream.write(Bytes::from(order)).await?;
    stream.finish().await?;
    drain(&mut stream).await
}
