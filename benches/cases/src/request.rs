//! Requests: a stream each, 40 bytes up, half-close, 32 bytes back, end.

use crate::{
    BenchError, Connection, Service, Stream,
    figures::Figures,
    server::{drain, expect},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Bytes of a request.
pub(crate) const QUESTION: usize = 40;

/// Bytes of an answer.
pub(crate) const ANSWER: usize = 32;

/// Requests on one connection, some at a time.
pub(crate) async fn run<C: Connection>(
    connection: Arc<C>,
    at_once: usize,
    time: Duration,
) -> Result<Figures, BenchError> {
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..at_once {
        let connection = connection.clone();
        asking.spawn(async move { ask_until(&*connection, began + time).await });
    }
    let mut times = Vec::new();
    while let Some(asked) = asking.join_next().await {
        times.extend(asked??);
    }
    Ok(Figures::timed(times, began.elapsed()))
}

async fn ask_until<C: Connection>(connection: &C, until: Instant) -> Result<Vec<Duration>, BenchError> {
    let mut times = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        ask(connection).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// What lies between two requests of one connection where they are paced.
const PACE: Duration = Duration::from_secs(1);

/// A request a second on each connection, spread evenly over the second. One that fails is counted, and the next one made.
pub(crate) async fn paced<C: Connection>(
    connections: &[Arc<C>],
    time: Duration,
) -> Result<Figures, BenchError> {
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for (number, connection) in connections.iter().enumerate() {
        let connection = connection.clone();
        let first = began + PACE.mul_f64(number as f64 / connections.len() as f64);
        asking.spawn(async move { ask_each_second(&*connection, first, began + time).await });
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    while let Some(asked) = asking.join_next().await {
        let (of_connection, failed_on_it) = asked?;
        times.extend(of_connection);
        failed += failed_on_it;
    }
    let figures = Figures::timed(times, began.elapsed());
    Ok(Figures { failed, ..figures })
}

async fn ask_each_second<C: Connection>(
    connection: &C,
    first: Instant,
    until: Instant,
) -> (Vec<Duration>, u64) {
    let (mut times, mut failed, mut due) = (Vec::new(), 0, first);
    while due < until {
        sleep_until(due).await;
        let began = Instant::now();
        match ask(connection).await {
            Ok(()) => times.push(began.elapsed()),
            Err(_) => failed += 1,
        }
        due += PACE;
    }
    (times, failed)
}

/// One request.
pub(crate) async fn ask<C: Connection>(connection: &C) -> Result<(), BenchError> {
    let mut stream = connection.open(Service::Request).await?;
    stream.write(Bytes::from_static(&[1; QUESTION])).await?;
    stream.finish().await?;
    let read = drain(&mut stream).await?;
    expect("an answer", ANSWER as u64, read)
}
