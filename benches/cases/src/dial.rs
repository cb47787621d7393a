//! Dials: how many a second, and what many connections hold.

use crate::{BenchError, Connection, Node, bulk, figures::Figures, request};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

/// Dials, and connections with traffic, at a time where many connections are made to stay.
const AT_ONCE: usize = 64;

/// What every connection of the case `traffic` moves in each direction.
const TRAFFIC: u64 = 256 << 10;

/// Each node dials and closes, one connection after the other; with `asking`, one request goes in between. Gives the nodes
/// back.
pub(crate) async fn again_and_again<N: Node>(
    nodes: Vec<N>,
    addr: &str,
    asking: bool,
    time: Duration,
) -> Result<(Figures, Vec<N>), BenchError> {
    let began = Instant::now();
    let mut dialling = JoinSet::new();
    for node in nodes {
        let addr = addr.to_owned();
        dialling.spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < time {
                times.push(visit(&node, &addr, asking).await?);
            }
            Ok::<_, BenchError>((node, times))
        });
    }
    let (mut kept, mut times) = (Vec::new(), Vec::new());
    while let Some(dialled) = dialling.join_next().await {
        let (node, of_node) = dialled??;
        kept.push(node);
        times.extend(of_node);
    }
    Ok((Figures::timed(times, began.elapsed()), kept))
}

/// The time from the dial until the connection is established, or its first answer is there; then it is closed.
async fn visit<N: Node>(node: &N, addr: &str, asking: bool) -> Result<Duration, BenchError> {
    let began = Instant::now();
    let connection = node.dial(addr).await?;
    if asking {
        request::ask(&connection).await?;
    }
    let took = began.elapsed();
    connection.close().await?;
    Ok(took)
}

/// One connection of each node that stays, with traffic on it or without.
pub(crate) async fn and_stay<N: Node>(
    nodes: Vec<N>,
    addr: &str,
    traffic: bool,
) -> Result<(Figures, Vec<(N, Arc<N::Connection>)>), BenchError> {
    let began = Instant::now();
    let (gate, mut dialling) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for node in nodes {
        let (gate, addr) = (gate.clone(), addr.to_owned());
        dialling.spawn(async move {
            let _permit = gate.acquire_owned().await.expect("nobody closes it");
            let connection = Arc::new(node.dial(&addr).await?);
            if traffic {
                bulk::both_ways(&*connection, TRAFFIC).await?;
            }
            Ok::<_, BenchError>((node, connection))
        });
    }
    let mut staying = Vec::new();
    while let Some(dialled) = dialling.join_next().await {
        staying.push(dialled??);
    }
    let count = staying.len() as u64;
    let bytes = if traffic { 2 * TRAFFIC * count } else { 0 };
    Ok((Figures::counted(count, bytes, began.elapsed()), staying))
}
