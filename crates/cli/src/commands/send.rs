//! `sinew send`: one file to a node that receives.

use crate::{
    args::KeyArgs,
    error::CliError,
    local,
    output::{Output, bytes, rate, time},
    transfer,
};
use serde_json::json;
use sinew::{Connection, Host, Multiaddr};
use std::{path::Path, time::Instant};

pub(crate) async fn run(
    file: &Path,
    addr: &Multiaddr,
    code: Option<String>,
    key: &KeyArgs,
    output: &Output,
) -> Result<(), CliError> {
    let size = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let (bar, started) = (output.bar(size, "sending"), Instant::now());
    let sending = async |_: &Host, connection: &Connection| {
        transfer::send(connection, file, code, |moved| bar.inc(moved)).await
    };
    let sent = local::visit(local::dialler(key)?, addr, sending).await;
    bar.finish_and_clear();
    let (size, hash) = sent?;
    let (took, hash) = (started.elapsed(), hex(&hash));
    let text = format!(
        "sent {} in {} ({})\nsha256 {hash}",
        bytes(size),
        time(took),
        rate(size, took)
    );
    output.say(
        &text,
        &json!({ "bytes": size, "seconds": took.as_secs_f64(), "sha256": hash }),
    );
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
