//! `sinew node`: runs until it is told to end, and says who comes and goes.

use crate::{args::Listening, error::CliError, local, output::Output};
use serde_json::json;
use sinew::{ConnectionEvent, Host, ListenEvent};
use std::path::Path;

pub(crate) async fn run(args: &Listening, peerstore: Option<&Path>, output: &Output) -> Result<(), CliError> {
    let signals = local::Signals::watch()?;
    let mut builder = local::listener(args)?;
    if let Some(path) = peerstore {
        builder = builder.peerstore_at(path).map_err(local::peerstore_error)?;
    }
    let host = local::start(builder).await?;
    local::announce(&host, output);
    tokio::select! {
        () = local::until_told(host.clone(), signals, output) => {}
        () = report(&host, output) => {}
    }
    Ok(())
}

/// Prints connections and changes of addresses until the node has ended.
async fn report(host: &Host, output: &Output) {
    let mut connections = host.subscribe::<ConnectionEvent>();
    let mut listeners = host.subscribe::<ListenEvent>();
    loop {
        tokio::select! {
            event = connections.next() => match event {
                Ok(Some(event)) => connection(&event, output),
                Ok(None) => return,
                Err(lagged) => tracing::warn!(%lagged, "connection events"),
            },
            event = listeners.next() => match event {
                Ok(Some(event)) => listener(&event, output),
                Ok(None) => return,
                Err(lagged) => tracing::warn!(%lagged, "listener events"),
            },
        }
    }
}

fn connection(event: &ConnectionEvent, output: &Output) {
    match event {
        ConnectionEvent::Opened(info) => {
            let (peer, addr) = (info.peer.to_string(), info.remote.to_string());
            let direction = info.direction.to_string();
            let object = json!({ "event": "connected", "peer": peer, "addr": addr, "direction": direction });
            output.say(&format!("+ {peer} {direction} {addr}"), &object);
        }
        ConnectionEvent::Closed(info, reason) => {
            let (peer, reason) = (info.peer.to_string(), reason.to_string());
            let object = json!({ "event": "disconnected", "peer": peer, "reason": reason });
            output.say(&format!("- {peer} {reason}"), &object);
        }
        other => tracing::info!(?other, "connection"),
    }
}

fn listener(event: &ListenEvent, output: &Output) {
    match event {
        ListenEvent::AddressAdded(addr) => {
            output.say(
                &format!("listens  {addr}"),
                &json!({ "event": "listening", "addr": addr.to_string() }),
            );
        }
        ListenEvent::AddressRemoved(addr) => {
            output.say(
                &format!("lost     {addr}"),
                &json!({ "event": "stopped", "addr": addr.to_string() }),
            );
        }
        other => tracing::warn!(?other, "listener"),
    }
}
