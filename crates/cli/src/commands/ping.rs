//! `sinew ping`: round trips, and a summary.

use crate::{
    args::KeyArgs,
    error::{CliError, Kind},
    local,
    output::{Output, micros, time},
};
use serde_json::json;
use sinew::{Connection, Multiaddr, ping::Ping};
use std::time::Duration;

pub(crate) async fn run(
    addr: &Multiaddr,
    count: u32,
    interval: Duration,
    key: &KeyArgs,
    output: &Output,
) -> Result<(), CliError> {
    let builder = local::dialler(key)?;
    let ping = builder.ping();
    let answered = local::visit(builder, addr, async |_, connection| {
        Ok(all(&ping, connection, (count, interval), output).await)
    })
    .await?;
    let lost = count as usize - answered;
    if lost == 0 {
        Ok(())
    } else {
        Err(CliError::new(
            Kind::Remote,
            format!("{lost} of {count} pings were lost"),
        ))
    }
}

/// Pings and tells; how many were answered.
async fn all(
    ping: &Ping,
    connection: &Connection,
    (count, interval): (u32, Duration),
    output: &Output,
) -> usize {
    output.tell(&format!("ping {}", connection.peer()));
    let mut pings = ping.pings_over(connection, interval);
    let mut times = Vec::new();
    for number in 1..=count {
        match pings.next().await {
            Ok(rtt) => {
                times.push(rtt);
                output.say(
                    &format!("{number:>4}  {}", time(rtt)),
                    &json!({ "ping": number, "rtt_us": micros(rtt) }),
                );
            }
            Err(error) => {
                let object = json!({ "ping": number, "error": error.to_string() });
                output.say(&format!("{number:>4}  {error}"), &object);
            }
        }
    }
    pings.finish().await;
    summary(count, &mut times, output);
    times.len()
}

fn summary(count: u32, times: &mut [Duration], output: &Output) {
    times.sort_unstable();
    let Some((first, last)) = times.first().zip(times.last()) else {
        return;
    };
    let median = times[times.len() / 2];
    let text = format!(
        "{} of {count} answered, min {} median {} max {}",
        times.len(),
        time(*first),
        time(median),
        time(*last)
    );
    let object = json!({
        "sent": count, "answered": times.len(),
        "min_us": micros(*first), "median_us": micros(median), "max_us": micros(*last),
    });
    output.say(&text, &object);
}
