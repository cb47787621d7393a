//! Honest peers: twenty that stay and ping, and a newcomer every 200 ms that visits and goes.

use crate::{
    control::{Request, Requests},
    error::AttackError,
    node,
    node::Place,
    pubsub::Group,
    report::quantile,
};
use serde_json::{Value, json};
use sinew_core::{Connection, DialOptions, Host, Stream};
use sinew_identify::Handle as Identify;
use sinew_ping::Ping;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{interval, sleep, timeout},
};

/// Connections that stay.
const KEPT: usize = 20;

/// The time between two newcomers.
const NEWCOMER: Duration = Duration::from_millis(200);

/// The time between two pings of one kept connection.
const PING: Duration = Duration::from_millis(500);

/// A visit that takes longer is lost.
const VISIT: Duration = Duration::from_secs(10);

/// What a newcomer sends to the echo.
const ECHO_BYTES: usize = 64 << 10;

/// What happened so far.
#[derive(Debug, Default)]
struct Log {
    visits: Vec<f64>,
    visits_lost: Vec<String>,
    pings: Vec<f64>,
    pings_lost: usize,
}

type Shared = Arc<Mutex<Log>>;

fn write(log: &Shared, change: impl FnOnce(&mut Log)) {
    change(&mut log.lock().unwrap_or_else(PoisonError::into_inner));
}

/// A connection that stays.
struct Kept {
    host: Host,
    connection: Connection,
}

/// Runs until standard input ends; `report` ends the newcomers and gives the figures. With `pubsub` there is a group that
/// publishes and subscribes besides.
pub(crate) async fn run(target: &str, pubsub: bool) -> Result<(), AttackError> {
    let place = Place::parse(target)?;
    let log = Shared::default();
    let (mut kept, mut tasks) = (Vec::new(), JoinSet::new());
    for _ in 0..KEPT {
        let mut builder = node::builder()?;
        let ping = builder.add(sinew_ping::Config::default());
        builder.add(sinew_identify::Config::default());
        let host = builder.start().await?;
        let connection = host.dial(place.addr.clone(), DialOptions::default()).await?;
        tasks.spawn(keep_pinging(ping, connection.clone(), log.clone()));
        kept.push(Kept { host, connection });
    }
    let group = if pubsub {
        Some(Group::start(&place).await?)
    } else {
        None
    };
    let mut requests = Requests::ready();
    let asked = newcomers(&place, &log, &mut requests).await?;
    if let Some(request) = asked {
        let mut figures = figures(&log, &kept).await;
        if let Some(group) = &group {
            figures["pubsub"] = group.report().await;
        }
        request.ok(&figures);
    }
    // The kept connections stay until the run has looked at the target for the last time.
    while requests.next().await?.is_some() {}
    for kept in kept {
        kept.host.shutdown(Duration::ZERO).await;
    }
    if let Some(group) = group {
        group.end().await;
    }
    Ok(())
}

async fn keep_pinging(ping: Ping, connection: Connection, log: Shared) {
    let mut pings = ping.pings_over(&connection, PING);
    loop {
        match pings.next().await {
            Ok(time) => write(&log, |log| log.pings.push(time.as_secs_f64() * 1e3)),
            Err(_) => {
                write(&log, |log| log.pings_lost += 1);
                sleep(PING).await;
            }
        }
    }
}

/// Lets newcomers in until there is a request, and waits for those who are there.
async fn newcomers(
    place: &Place,
    log: &Shared,
    requests: &mut Requests,
) -> Result<Option<Request>, AttackError> {
    let (mut visits, mut clock) = (JoinSet::new(), interval(NEWCOMER));
    let asked = loop {
        tokio::select! {
            _ = clock.tick() => { visits.spawn(newcomer(place.clone(), log.clone())); }
            request = requests.next() => break request?,
        }
        while visits.try_join_next().is_some() {}
    };
    while visits.join_next().await.is_some() {}
    Ok(asked)
}

async fn newcomer(place: Place, log: Shared) {
    let began = Instant::now();
    let outcome = timeout(VISIT, visit(&place)).await;
    let outcome = outcome.unwrap_or_else(|_| Err("took too long".to_owned()));
    let took = began.elapsed().as_secs_f64() * 1e3;
    write(&log, |log| match outcome {
        Ok(()) => log.visits.push(took),
        Err(reason) => log.visits_lost.push(reason),
    });
}

/// Connects, pings, identifies, echoes, and goes.
async fn visit(place: &Place) -> Result<(), String> {
    let mut builder = node::builder().map_err(|error| error.to_string())?;
    let ping = builder.add(sinew_ping::Config::default());
    let identify = builder.add(sinew_identify::Config::default());
    let host = builder.start().await.map_err(|error| error.to_string())?;
    let outcome = call(&host, &ping, &identify, place).await;
    host.shutdown(Duration::ZERO).await;
    outcome
}

async fn call(host: &Host, ping: &Ping, identify: &Identify, place: &Place) -> Result<(), String> {
    let dialled = host.dial(place.addr.clone(), DialOptions::default()).await;
    let connection = dialled.map_err(|error| format!("dial: {error}"))?;
    ping.ping_over(&connection)
        .await
        .map_err(|error| format!("ping: {error}"))?;
    let identified = identify.identify(connection.peer()).await;
    identified.map_err(|error| format!("identify: {error}"))?;
    let stream = connection
        .open([node::ECHO])
        .await
        .map_err(|error| format!("open: {error}"))?;
    let back = echo(stream).await.map_err(|error| format!("echo: {error}"))?;
    if back == ECHO_BYTES {
        Ok(())
    } else {
        Err(format!("echo of {back} bytes"))
    }
}

async fn echo(mut stream: Stream) -> io::Result<usize> {
    let data = vec![7; ECHO_BYTES];
    stream.write_all(&data).await?;
    stream.finish().await?;
    Ok(stream.read_to_end(ECHO_BYTES + 1).await?.len())
}

async fn figures(log: &Shared, kept: &[Kept]) -> Value {
    let mut lost = 0;
    for kept in kept {
        // Done at once or never: the connection has ended, or it has not.
        let ended = tokio::select! {
            biased;
            _ = kept.connection.closed() => true,
            () = std::future::ready(()) => false,
        };
        lost += usize::from(ended);
    }
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    json!({
        "visits": log.visits.len(),
        "visits_lost": log.visits_lost.len(),
        "lost_because": log.visits_lost.first(),
        "visit_p50_ms": quantile(&log.visits, 0.5),
        "visit_p99_ms": quantile(&log.visits, 0.99),
        "pings_lost": log.pings_lost,
        "ping_p50_ms": quantile(&log.pings, 0.5),
        "ping_p99_ms": quantile(&log.pings, 0.99),
        "kept_lost": lost,
    })
}
