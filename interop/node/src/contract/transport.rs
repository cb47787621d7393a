//! The transport suite: one dial and one ping, with the time that they took.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use sinew::ping;
use tokio::{task::block_in_place, time::sleep};

use super::{Args, Environment, Failure, builder, connect, coordination, published};

/// Listens, passes the address on, and answers until it is ended.
pub(super) async fn listen(environment: &Environment, args: &Args) -> Result<(), Failure> {
    let mut builder = builder(environment, args)?;
    builder.add(ping::Config::default());
    let host = builder.start().await?;
    let addr = published(&host, environment).await?;
    block_in_place(|| coordination(environment)?.push(&addr))?;
    sleep(environment.timeout).await;
    Err("nobody ended this listener in time".into())
}

/// Dials, pings once, and prints how long that took.
pub(super) async fn dial(environment: &Environment, args: &Args) -> Result<(), Failure> {
    let mut builder = builder(environment, args)?;
    let ping = builder.add(ping::Config::default());
    let host = builder.start().await?;
    let addr = block_in_place(|| coordination(environment)?.pop())?;
    let start = Instant::now();
    let peer = connect(&host, &addr).await?;
    let echo = ping.ping(peer).await?;
    print(&result(environment.is_legacy, start.elapsed(), echo))?;
    Ok(())
}

fn result(is_legacy: bool, handshake: Duration, ping: Duration) -> String {
    let (handshake, ping) = (millis(handshake), millis(ping));
    if is_legacy {
        // The third l is part of the contract.
        format!("{{\"handshakePlusOneRTTMillis\": {handshake}, \"pingRTTMilllis\": {ping}}}\n")
    } else {
        format!("latency:\n  handshake_plus_one_rtt: {handshake}\n  ping_rtt: {ping}\n  unit: ms\n")
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Writes a result at once: the other side's end ends this process.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_spelled_to_the_letter() {
        let (handshake, ping) = (Duration::from_micros(5011), Duration::from_micros(500));
        assert_eq!(
            result(false, handshake, ping),
            "latency:\n  handshake_plus_one_rtt: 5.011\n  ping_rtt: 0.5\n  unit: ms\n"
        );
        assert_eq!(
            result(true, handshake, ping),
            "{\"handshakePlusOneRTTMillis\": 5.011, \"pingRTTMilllis\": 0.5}\n"
        );
    }
}
