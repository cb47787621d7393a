//! `sinew node`: runs until it is told to end, and says who comes and goes.

use crate::{
    args::{KeyArgs, LimitsKind, NodeArgs},
    error::{CliError, Kind},
    local,
    output::Output,
};
use serde_json::json;
use sinew::{ConnectionEvent, Host, Limits, ListenEvent, NodeBuilder, config::Config};

pub(crate) async fn run(args: &NodeArgs, output: &Output) -> Result<(), CliError> {
    let signals = local::Signals::watch()?;
    let builder = builder(args)?;
    let metrics = builder.metrics_addr();
    let host = local::start(builder).await?;
    local::announce(&host, output);
    if let Some(addr) = metrics {
        let object = json!({ "event": "metrics", "addr": addr.to_string() });
        output.say(&format!("metrics  http://{addr}/metrics"), &object);
    }
    tokio::select! {
        () = local::until_told(host.clone(), signals, output) => {}
        () = report(&host, output) => {}
    }
    Ok(())
}

/// The node of the file, with what the command line says in its place.
fn builder(args: &NodeArgs) -> Result<NodeBuilder, CliError> {
    let mut config = match &args.config {
        Some(path) => Config::read(path)
            .map_err(|error| CliError::new(Kind::Local, "reading the configuration").because(error))?,
        None => Config::default(),
    };
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    } else if config.listen.is_empty() {
        config.listen = local::anywhere(&args.key);
    }
    config.peerstore = args.peerstore.clone().or(config.peerstore);
    config.metrics = args.metrics.or(config.metrics);
    config.limits = args.limits.map(limits).or(config.limits);
    let key = KeyArgs {
        key: args.key.key.clone().or(config.key.clone()),
        psk: args.key.psk.clone(),
    };
    local::within(local::builder(local::listening_key(&key)?), &key)?
        .configure(&config)
        .map_err(|error| CliError::new(Kind::Local, "building the node").because(error))
}

fn limits(kind: LimitsKind) -> Limits {
    let mut limits = match kind {
        LimitsKind::Auto | LimitsKind::DryRun => Limits::auto(),
        LimitsKind::Default => Limits::default(),
    };
    limits.dry_run = kind == LimitsKind::DryRun;
    limits
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
