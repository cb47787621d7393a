//! Peers that lie in identify, or talk too much of it.

use super::{Aim, outcome::Outcome};
use crate::{error::AttackError, node};
use sinew_core::{Connection, DialOptions, Host, ProtocolId, Stream};
use sinew_identity::Keypair;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const IDENTIFY: ProtocolId = ProtocolId::from_static("/ipfs/id/1.0.0");
const PUSH: ProtocolId = ProtocolId::from_static("/ipfs/id/push/1.0.0");

/// Connections that lie, one after the other.
const TRIES: usize = 20;

/// Connections with huge answers, all at once.
const HUGE: usize = 20;

/// Pushes of one connection that are on their way at once.
const AT_ONCE: usize = 16;

/// How long after its answer a liar may stay.
const SOON: Duration = Duration::from_secs(3);

/// Tells the key of somebody else.
pub(super) async fn wrong_key(aim: &Aim) -> Result<Vec<Outcome>, AttackError> {
    let mut outcomes = Vec::new();
    for _ in 0..TRIES {
        let lie = message(&Keypair::generate().public().to_protobuf(), 4);
        let host = answering(move |mut stream| {
            let lie = lie.clone();
            async move {
                // The target may hang up in between: that is what the row wants to see.
                let _ = stream.write_all(&lie).await;
                let _ = stream.finish().await;
            }
        })
        .await?;
        let connection = dial(&host, aim).await?;
        let from = Instant::now();
        let cut = timeout(SOON, connection.closed()).await;
        outcomes.push(Outcome::of(cut.is_ok().then(|| from.elapsed()), 1));
        host.shutdown(Duration::ZERO).await;
    }
    Ok(outcomes)
}

/// Answers without end: good messages, each as long as a target may want to read.
pub(super) async fn huge(aim: &Aim) -> Result<Vec<Outcome>, AttackError> {
    let mut hosts = Vec::new();
    let sent = Arc::new(AtomicU64::new(0));
    for _ in 0..HUGE {
        let sent = sent.clone();
        let answer = message(&[], 200);
        let host = answering(move |mut stream: Stream| {
            let (answer, sent) = (answer.clone(), sent.clone());
            async move {
                while stream.write_all(&answer).await.is_ok() {
                    sent.fetch_add(answer.len() as u64, Ordering::Relaxed);
                }
            }
        })
        .await?;
        let connection = dial(&host, aim).await?;
        hosts.push((host, connection));
    }
    sleep(aim.lasting).await;
    for (host, _) in hosts {
        host.shutdown(Duration::ZERO).await;
    }
    Ok(vec![Outcome::of(None, sent.load(Ordering::Relaxed))])
}

/// Pushes news that are none, as fast as they are taken.
pub(super) async fn push_flood(aim: &Aim) -> Result<Outcome, AttackError> {
    let host = node::builder()?.start().await?;
    let connection = dial(&host, aim).await?;
    let (from, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut pushing = JoinSet::new();
    for _ in 0..AT_ONCE {
        pushing.spawn(push(connection.clone(), sent.clone()));
    }
    let cut = timeout(aim.lasting, connection.closed()).await;
    let cut = cut.is_ok().then(|| from.elapsed());
    pushing.abort_all();
    host.shutdown(Duration::ZERO).await;
    Ok(Outcome::of(cut, sent.load(Ordering::Relaxed)))
}

async fn push(connection: Connection, sent: Arc<AtomicU64>) {
    loop {
        let Ok(mut stream) = connection.open([PUSH]).await else {
            return;
        };
        let news = message(
            &[],
            4 + usize::try_from(sent.load(Ordering::Relaxed) % 3).unwrap_or(0),
        );
        // A push that is refused counts too: it cost the target a stream.
        let _ = stream.write_all(&news).await;
        let _ = stream.finish().await;
        let _ = stream.read_to_end(1024).await;
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// A node that answers identify with whatever `handler` says.
async fn answering<F>(handler: impl Fn(Stream) -> F + Send + Sync + 'static) -> Result<Host, AttackError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let host = node::builder()?.start().await?;
    match host.set_stream_handler(IDENTIFY, handler) {
        Ok(()) => Ok(host),
        Err(error) => Err(sinew_host::StartError::from(error).into()),
    }
}

async fn dial(host: &Host, aim: &Aim) -> Result<Connection, AttackError> {
    Ok(host.dial(aim.place.addr.clone(), DialOptions::default()).await?)
}

/// An identify message with this public key and so many protocols, and its length in front.
pub(super) fn message(public_key: &[u8], protocols: usize) -> Vec<u8> {
    let mut body = Vec::new();
    if !public_key.is_empty() {
        field(1, public_key, &mut body);
    }
    for number in 0..protocols {
        field(3, format!("/some/protocol/{number}").as_bytes(), &mut body);
    }
    field(6, b"attack/1", &mut body);
    let mut out = Vec::new();
    varint(body.len(), &mut out);
    out.extend(body);
    out
}

/// A field of protobuf's kind 2: bytes with their length.
pub(super) fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len(), out);
    out.extend(bytes);
}

pub(super) fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
