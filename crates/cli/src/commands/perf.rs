//! `sinew perf`: throughput and latency between two of your own machines, by the definitions of `benches/README.md`.

mod latency;

use crate::{
    args::{KeyArgs, Listening, PerfCommand},
    commands::dial,
    error::{CliError, Kind},
    local,
    output::{Output, bytes, rate, time},
};
use indicatif::ProgressBar;
use serde_json::json;
use sinew::{
    Connection, Multiaddr,
    perf::{Amount, Config, Live, Perf, PerfError, Report, Request, Transfer},
};
use std::time::Duration;
use tokio::task::JoinSet;

pub(crate) async fn run(command: PerfCommand, output: &Output) -> Result<(), CliError> {
    match command {
        PerfCommand::Serve(listening) => serve(&listening, output).await,
        PerfCommand::Run {
            addr,
            bytes,
            streams,
            duration,
            key,
        } => {
            let amount = match (bytes, duration) {
                (Some(bytes), _) => Amount::Bytes(bytes),
                (None, duration) => Amount::For(duration.unwrap_or(Duration::from_secs(5))),
            };
            measure(&addr, amount, streams, &key, output).await
        }
    }
}

async fn serve(args: &Listening, output: &Output) -> Result<(), CliError> {
    let signals = local::Signals::watch()?;
    let mut builder = local::listener(args)?;
    builder.add(Config::default());
    let host = local::start(builder).await?;
    local::announce(&host, output);
    local::until_told(host, signals, output).await;
    Ok(())
}

async fn measure(
    addr: &Multiaddr,
    amount: Amount,
    streams: u32,
    key: &KeyArgs,
    output: &Output,
) -> Result<(), CliError> {
    local::visit(local::dialler(key)?, addr, async |host, connection| {
        dial::tell_connected(connection.info(), None, output);
        let to = (&Perf::new(host.clone()), connection);
        let upload = Request::default().upload(amount);
        let moved = side_by_side(to, upload, streams, output.bar(total(amount, streams), "upload")).await?;
        summary("upload", moved.iter().map(|report| report.upload), output);
        let download = Request::default().download(amount);
        let moved = side_by_side(
            to,
            download,
            streams,
            output.bar(total(amount, streams), "download"),
        )
        .await?;
        summary("download", moved.iter().map(|report| report.download), output);
        latency::of_exchanges(to, output).await?;
        latency::of_connections((to.0, host), addr, output).await
    })
    .await
}

/// How many bytes go in one direction, if that is known beforehand.
fn total(amount: Amount, streams: u32) -> Option<u64> {
    match amount {
        Amount::Bytes(bytes) => Some(bytes.saturating_mul(streams.into())),
        _ => None,
    }
}

/// The same request on several streams at once, each with a task of its own, and a bar of them together.
async fn side_by_side(
    (perf, connection): (&Perf, &Connection),
    request: Request,
    streams: u32,
    bar: ProgressBar,
) -> Result<Vec<Report>, CliError> {
    let mut running = JoinSet::new();
    for _ in 0..streams {
        let (perf, connection, bar) = (perf.clone(), connection.clone(), bar.clone());
        running.spawn(async move {
            let mut before = 0;
            let live = |live: Live| {
                let now = live.uploaded + live.downloaded;
                bar.inc(now - before);
                before = now;
            };
            perf.run_over(&connection, request, live).await
        });
    }
    let mut reports = Vec::new();
    while let Some(done) = running.join_next().await {
        let report = done.map_err(|error| CliError::new(Kind::Local, "measuring").because(error))?;
        reports.push(report.map_err(failed)?);
    }
    bar.finish_and_clear();
    Ok(reports)
}

fn failed(error: PerfError) -> CliError {
    CliError::new(Kind::Remote, "measuring")
        .because(error)
        .hint("does the other node run `sinew perf serve`?")
}

/// What all streams moved, in the time of the one that took longest.
fn summary(direction: &str, transfers: impl Iterator<Item = Transfer>, output: &Output) {
    let (mut all, mut streams) = (Transfer::default(), 0);
    for transfer in transfers {
        all.bytes += transfer.bytes;
        all.time = all.time.max(transfer.time);
        streams += 1;
    }
    let gigabits = all.gigabits_per_second();
    let text = format!(
        "{direction:<8}  {} in {}, {} or {gigabits:.2} Gbit/s over {streams} streams",
        bytes(all.bytes),
        time(all.time),
        rate(all.bytes, all.time),
    );
    let seconds = all.time.as_secs_f64();
    let object = json!({
        "direction": direction, "bytes": all.bytes, "seconds": seconds, "gbit_per_s": gigabits, "streams": streams,
    });
    output.say(&text, &object);
}
