//! `sinew perf`: throughput between two of your own machines.

use crate::{
    args::{KeyArgs, Listening, PerfCommand},
    error::{CliError, Kind},
    local,
    output::{Output, bytes, time},
};
use futures_util::future::try_join_all;
use serde_json::json;
use sinew::{
    Connection, Multiaddr,
    perf::{Amount, Config, Live, Perf, Report, Request, Transfer},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

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
        both_ways((&Perf::new(host.clone()), connection), amount, streams, output).await
    })
    .await
}

async fn both_ways(
    to: (&Perf, &Connection),
    amount: Amount,
    streams: u32,
    output: &Output,
) -> Result<(), CliError> {
    let nothing = Amount::Bytes(0);
    for (name, up, down) in [("upload", amount, nothing), ("download", nothing, amount)] {
        let request = Request::default().upload(up).download(down);
        let reports = side_by_side(to, request, streams, name, output).await?;
        let transfer = |report: &Report| {
            if name == "upload" {
                report.upload
            } else {
                report.download
            }
        };
        summary(name, &reports.iter().map(transfer).collect::<Vec<_>>(), output);
    }
    Ok(())
}

/// The same request on several streams at once, with a bar of them together.
async fn side_by_side(
    (perf, connection): (&Perf, &Connection),
    request: Request,
    streams: u32,
    name: &'static str,
    output: &Output,
) -> Result<Vec<Report>, CliError> {
    let bar = output.bar(0, name);
    let all = AtomicU64::new(0);
    let one = || {
        let (bar, all, mut before) = (&bar, &all, 0);
        let live = move |live: Live| {
            let now = live.uploaded + live.downloaded;
            let moved = all.fetch_add(now - before, Ordering::Relaxed) + now - before;
            before = now;
            bar.set_length(moved);
            bar.set_position(moved);
        };
        perf.run_over(connection, request, live)
    };
    let reports = try_join_all((0..streams).map(|_| one())).await;
    bar.finish_and_clear();
    reports.map_err(|error| {
        CliError::new(Kind::Remote, "measuring")
            .because(error)
            .hint("does the other node run `sinew perf serve`?")
    })
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn summary(name: &str, transfers: &[Transfer], output: &Output) {
    let moved: u64 = transfers.iter().map(|transfer| transfer.bytes).sum();
    let took = transfers
        .iter()
        .map(|transfer| transfer.time)
        .max()
        .unwrap_or_default();
    let gigabits = moved as f64 * 8.0 / took.as_secs_f64().max(1e-9) / 1e9;
    let text = format!(
        "{name:<8}  {} in {}, {gigabits:.2} Gbit/s over {} streams",
        bytes(moved),
        time(took),
        transfers.len()
    );
    let seconds = took.as_secs_f64();
    let object = json!({
        "direction": name, "bytes": moved, "seconds": seconds, "gbit_per_s": gigabits, "streams": transfers.len(),
    });
    output.say(&text, &object);
}
