//! How long an exchange takes, and a connection.

use super::failed;
use crate::{
    error::CliError,
    output::{Output, micros, time},
};
use serde_json::json;
use sinew::{
    CloseCode, Connection, DialOptions, Host, Multiaddr, Purpose,
    perf::{Amount, Perf, Request},
};
use std::time::{Duration, Instant};

/// Latency is that of so many exchanges, or of those that the time allows.
const EXCHANGES: usize = 100;

/// And of so many connections: fewer than a node takes at once of one address, and than it would call a flood.
const CONNECTIONS: usize = 20;

const TIME: Duration = Duration::from_secs(5);

/// Whether there is enough.
fn is_enough(times: &[Duration], wanted: usize, started: Instant) -> bool {
    times.len() >= wanted || !times.is_empty() && started.elapsed() >= TIME
}

/// A byte there and a byte back.
fn exchange() -> Request {
    let byte = Amount::Bytes(1);
    Request::default().upload(byte).download(byte)
}

/// What half of them take no longer than, and what 99 in a hundred.
fn half_and_most(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// A stream a time: opened, a byte there, a byte back, ended.
pub(super) async fn of_exchanges(
    (perf, connection): (&Perf, &Connection),
    output: &Output,
) -> Result<(), CliError> {
    let (started, mut times) = (Instant::now(), Vec::new());
    while !is_enough(&times, EXCHANGES, started) {
        let report = perf.run_over(connection, exchange(), |_| ()).await;
        times.push(report.map_err(failed)?.total);
    }
    let count = times.len();
    let (half, most) = half_and_most(times);
    let text = format!(
        "latency   {} for half of {count} exchanges, {} for 99 %",
        time(half),
        time(most)
    );
    let object = json!({ "exchanges": count, "p50_us": micros(half), "p99_us": micros(most) });
    output.say(&text, &object);
    Ok(())
}

/// A connection a time: made, a byte there and a byte back, closed.
pub(super) async fn of_connections(
    (perf, host): (&Perf, &Host),
    addr: &Multiaddr,
    output: &Output,
) -> Result<(), CliError> {
    // Each has to be a new one.
    let options = DialOptions::default().purpose(Purpose::Probe);
    let (started, mut handshakes, mut first_bytes) = (Instant::now(), Vec::new(), Vec::new());
    while !is_enough(&handshakes, CONNECTIONS, started) {
        let begun = Instant::now();
        let connection = host.dial(addr, options.clone()).await;
        let connection = connection.map_err(|error| CliError::stack("connecting", error))?;
        handshakes.push(begun.elapsed());
        let exchanged = perf.run_over(&connection, exchange(), |_| ()).await;
        exchanged.map_err(failed)?;
        first_bytes.push(begun.elapsed());
        connection.close(CloseCode::NONE);
        connection.closed().await;
    }
    let count = handshakes.len();
    let ((half, most), (first_half, first_most)) = (half_and_most(handshakes), half_and_most(first_bytes));
    let text = format!(
        "connect   {} for half of {count} connections, {} for 99 %; {} and {} until the first answer",
        time(half),
        time(most),
        time(first_half),
        time(first_most),
    );
    let object = json!({
        "connections": count, "p50_us": micros(half), "p99_us": micros(most),
        "first_byte_p50_us": micros(first_half), "first_byte_p99_us": micros(first_most),
    });
    output.say(&text, &object);
    Ok(())
}
