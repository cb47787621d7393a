//! `sinew node`: runs until it is told to end, and says who comes and goes.

use crate::{
    args::{KeyArgs, LimitsKind, NodeArgs},
    error::{CliError, Kind},
    local,
    output::Output,
};
use serde_json::json;
use sinew::{
    AnnouncedAddrs, ConnectionEvent, Host, Limits, ListenEvent, NodeBuilder,
    config::{Config, Files, WssFiles},
};
use tokio::signal::unix::{Signal, SignalKind};

pub(crate) async fn run(args: &NodeArgs, output: &Output) -> Result<(), CliError> {
    let signals = local::Signals::watch()?;
    let hangups = local::watch(SignalKind::hangup())?;
    let builder = builder(args)?;
    let (metrics, files) = (builder.metrics_addr(), builder.files());
    let host = local::start(builder).await?;
    local::announce(&host, output);
    if let Some(addr) = metrics {
        let object = json!({ "event": "metrics", "addr": addr.to_string() });
        output.say(&format!("metrics  http://{addr}/metrics"), &object);
    }
    tokio::select! {
        () = local::until_told(host.clone(), signals, output) => {}
        () = report(&host, output) => {}
        () = reload(&files, hangups, output) => {}
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
    override_with(args, &mut config);
    let key = KeyArgs {
        key: config.key.clone(),
        psk: config.psk.clone(),
    };
    if config.listen.is_empty() {
        config.listen = local::anywhere(&key);
    }
    local::builder(local::listening_key(&key)?)
        .configure(&config)
        .map_err(|error| CliError::new(Kind::Local, "building the node").because(error))
}

fn override_with(args: &NodeArgs, config: &mut Config) {
    for (given, written) in [
        (&args.listen, &mut config.listen),
        (&args.announce, &mut config.announce),
    ] {
        if !given.is_empty() {
            written.clone_from(given);
        }
    }
    let paths = [
        (&args.key.key, &mut config.key),
        (&args.key.psk, &mut config.psk),
        (&args.peerstore, &mut config.peerstore),
    ];
    for (given, written) in paths {
        *written = given.clone().or(written.take());
    }
    if let (Some(cert), Some(key)) = (&args.wss_cert, &args.wss_key) {
        config.wss = Some(WssFiles::new(cert, key));
    }
    config.metrics = args.metrics.or(config.metrics);
    config.limits = args.limits.map(limits).or(config.limits);
}

/// Reads the files again at each SIGHUP. A node that has none goes on as well: whoever sends it to all of his nodes means to
/// end none.
async fn reload(files: &Files, mut hangups: Signal, output: &Output) {
    while hangups.recv().await.is_some() {
        if files.is_empty() {
            let object = json!({ "event": "nothing_to_reload" });
            output.say("nothing to reload: no certificate, no access file", &object);
            continue;
        }
        match tokio::task::block_in_place(|| files.reload()) {
            Ok(()) => output.say("reloaded", &json!({ "event": "reloaded" })),
            Err(error) => {
                let object = json!({ "event": "reload_failed", "error": error.to_string() });
                output.say(&format!("not reloaded: {error}"), &object);
            }
        }
    }
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
    let mut announced = host.observe::<AnnouncedAddrs>();
    tell_announced(host, &announced.now(), output);
    loop {
        tokio::select! {
            news = announced.changed() => match news {
                Some(news) => tell_announced(host, &news, output),
                None => return,
            },
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

/// What others are told, where it is not what is listened on.
fn tell_announced(host: &Host, AnnouncedAddrs(addrs): &AnnouncedAddrs, output: &Output) {
    if host.listen_addrs() == **addrs {
        return;
    }
    let texts: Vec<_> = addrs.iter().map(ToString::to_string).collect();
    output.object(&json!({ "event": "announced", "addrs": texts }));
    texts
        .iter()
        .for_each(|addr| output.tell(&format!("announces {addr}")));
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
