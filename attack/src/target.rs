//! The node under attack: default limits, ping, identify, an echo, perhaps gossipsub, and numbers about itself on request.

use crate::{
    control::{Request, Requests},
    counted::Counted,
    error::AttackError,
    node, pubsub,
    pubsub::Served,
    rows::Serves,
};
use serde_json::{Value, json};
use sinew_core::{Host, Multiaddr};
use sinew_host::Limits;
use std::time::Duration;

/// Runs until standard input ends.
pub(crate) async fn run(scale: bool, serves: Serves) -> Result<(), AttackError> {
    let counted = Counted::default();
    let mut builder = node::builder()?.meter(counted.clone());
    if scale {
        builder = builder.limits(Limits::one_machine_plays_many());
    }
    builder.add(sinew_ping::Config::default());
    builder.add(sinew_identify::Config::default());
    let served = pubsub::serve(serves, &mut builder)?;
    let host = builder.start().await?;
    if let Err(error) = host.set_stream_handler(node::ECHO, node::echo) {
        return Err(sinew_host::StartError::from(error).into());
    }
    let mut requests = Requests::ready();
    while let Some(request) = requests.next().await? {
        match answer(&host, (&counted, served.as_ref()), &request).await {
            Ok(value) => request.ok(&value),
            Err(reason) => request.error(&reason),
        }
    }
    host.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn answer(
    host: &Host,
    (counted, served): (&Counted, Option<&Served>),
    request: &Request,
) -> Result<Value, String> {
    match request.command.as_str() {
        "listen" => {
            let addr: Multiaddr = request.addr.parse().map_err(|_| "no address".to_owned())?;
            let addrs = host.listen(addr).await.map_err(|error| error.to_string())?;
            let named = |addr: &Multiaddr| format!("{addr}/p2p/{}", host.peer_id());
            Ok(json!({ "addrs": addrs.iter().map(named).collect::<Vec<_>>() }))
        }
        "stats" => {
            let mut stats = json!({
                "connections": host.connections().len(),
                "counted": counted.told(),
                "tasks": tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            });
            if let Some(served) = served {
                stats["pubsub"] = served.told().await;
            }
            Ok(stats)
        }
        other => Err(format!("unknown command {other}")),
    }
}
