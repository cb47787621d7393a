//! `sinew receive`: takes files from one peer, or one file from whoever has the code.

use crate::{
    args::Listening,
    error::{CliError, Kind},
    local,
    output::{Output, bytes, rate, time},
    transfer::{Admission, End, PROTOCOL, Receiver, Taken},
};
use serde_json::json;
use sinew::{Host, PeerId, Stream};
use std::{path::Path, sync::Arc};
use tokio::sync::Notify;

pub(crate) async fn run(
    from: Option<PeerId>,
    dir: &Path,
    max_size: u64,
    args: &Listening,
    output: &Output,
) -> Result<(), CliError> {
    let (admission, code) = match from {
        Some(peer) => (Admission::From(peer), None),
        None => {
            let (admission, code) = Admission::fresh_code();
            (admission, Some(code))
        }
    };
    let receiver = Arc::new(Receiver {
        admission,
        dir: folder(dir)?,
        max_size,
    });
    let signals = local::Signals::watch()?;
    let host = local::start(local::listener(args)?).await?;
    let done = serve(&host, receiver.clone(), *output)?;
    local::announce(&host, output);
    if let Some(code) = code {
        let addr = local::full_addrs(&host)
            .first()
            .map_or_else(|| "ADDR".into(), ToString::to_string);
        output.say(
            &format!("code     {code}\n\nsinew send FILE {addr} --code {code}"),
            &json!({ "code": code }),
        );
    }
    tokio::select! {
        () = local::until_told(host.clone(), signals, output) => {}
        () = done.notified() => host.shutdown(std::time::Duration::from_secs(3)).await,
    }
    match receiver.admission.end() {
        Some(End::Guessed) => Err(CliError::new(Kind::Refused, "too many wrong codes, and no file")
            .hint("name the sender with --from, if strangers reach this node")),
        _ => Ok(()),
    }
}

/// The folder for files, with its links resolved once and for all.
pub(super) fn folder(dir: &Path) -> Result<std::path::PathBuf, CliError> {
    let found = dir
        .canonicalize()
        .map_err(|error| CliError::io(format!("the folder {}", dir.display()), error))?;
    let is_dir = found.is_dir();
    is_dir
        .then_some(found)
        .ok_or_else(|| CliError::new(Kind::Local, format!("{} is no folder", dir.display())))
}

/// Serves transfers; notified when there will be no more.
pub(super) fn serve(host: &Host, receiver: Arc<Receiver>, output: Output) -> Result<Arc<Notify>, CliError> {
    let done = Arc::new(Notify::new());
    let tell = done.clone();
    let handler = move |mut stream: Stream| {
        let (receiver, tell) = (receiver.clone(), tell.clone());
        async move {
            let peer = stream.peer();
            match receiver.serve(&mut stream).await {
                Ok(Some(taken)) => report(&peer, &taken, &output),
                Ok(None) => output.say(
                    &format!("refused  {peer}"),
                    &json!({ "event": "refused", "peer": peer.to_string() }),
                ),
                Err(error) => {
                    let object =
                        json!({ "event": "failed", "peer": peer.to_string(), "error": error.to_string() });
                    output.say(&format!("failed   {peer}: {error}"), &object);
                }
            }
            if receiver.admission.end().is_some() {
                tell.notify_one();
            }
        }
    };
    host.set_stream_handler(PROTOCOL, handler)
        .map_err(|error| CliError::new(Kind::Local, "serving transfers").because(error))?;
    Ok(done)
}

fn report(peer: &PeerId, taken: &Taken, output: &Output) {
    let (path, size) = (taken.path.display().to_string(), taken.size);
    let text = format!(
        "received {path}, {} in {} ({})",
        bytes(size),
        time(taken.time),
        rate(size, taken.time)
    );
    let seconds = taken.time.as_secs_f64();
    let object = json!({ "event": "received", "peer": peer.to_string(), "file": path, "bytes": size, "seconds": seconds });
    output.say(&text, &object);
}
