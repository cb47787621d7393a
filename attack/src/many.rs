//! Many peers in one process: a connection each, an identity each.

use crate::{
    control::Requests,
    error::AttackError,
    node::{ECHO, Place},
};
use serde_json::json;
use sinew_core::{
    AcceptStreams, CloseCode, MuxedConnection, MuxerUpgrade, OpenOptions, Role, SecureRequest, SecureUpgrade,
    Unlimited,
};
use sinew_identity::Keypair;
use sinew_multistream::select;
use sinew_noise::Noise;
use sinew_yamux::Yamux;
use std::{future::poll_fn, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

/// Connections and echoes that are under way at once.
const AT_ONCE: usize = 128;

/// What each stream sends and has sent back.
const ECHO_BYTES: usize = 1 << 10;

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Handle = Arc<dyn MuxedConnection>;

/// Runs until standard input ends: `connect` so many, `echo` on each, `close` all.
pub(crate) async fn run(target: &str) -> Result<(), AttackError> {
    let place = Place::parse(target)?;
    let (mut connections, mut drivers) = (Vec::new(), JoinSet::new());
    let mut requests = Requests::ready();
    while let Some(request) = requests.next().await? {
        match request.command.as_str() {
            "connect" => {
                connections = connect(&place, request.count, &mut drivers).await;
                request.ok(&json!(connections.len()));
            }
            "echo" => request.ok(&json!(echo_all(&connections).await)),
            "close" => {
                for connection in connections.drain(..) {
                    connection.close(CloseCode::NONE);
                }
                while drivers.join_next().await.is_some() {}
                request.ok(&json!(0));
            }
            other => request.error(&format!("unknown command {other}")),
        }
    }
    Ok(())
}

async fn connect(place: &Place, count: usize, drivers: &mut JoinSet<()>) -> Vec<Handle> {
    let (gate, mut dialling) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for _ in 0..count {
        let (place, gate) = (place.clone(), gate.clone());
        dialling.spawn(async move {
            let _permit = gate.acquire().await;
            timeout(PATIENCE, dial(&place)).await.map_err(io::Error::from)?
        });
    }
    let mut connections = Vec::new();
    while let Some(dialled) = dialling.join_next().await {
        if let Ok(Ok(muxed)) = dialled {
            connections.push(muxed.handle.clone());
            drivers.spawn(serve(muxed.accept));
            drivers.spawn(async move { drop(muxed.driver.await) });
        }
    }
    connections
}

async fn dial(place: &Place) -> io::Result<sinew_core::Muxed> {
    let stream = TcpStream::connect(place.socket).await?;
    stream.set_nodelay(true)?;
    let mut io: sinew_core::BoxedIo = Box::new(stream);
    let noise = Noise::new(&Keypair::generate()).map_err(io::Error::other)?;
    let agreed = select(&mut io, vec![noise.protocol()], PATIENCE).await;
    agreed.map_err(io::Error::other)?;
    let request = SecureRequest::new(Role::Dialer, Some(place.peer), vec![sinew_yamux::PROTOCOL]);
    let secured = noise.secure(io, request).await.map_err(io::Error::other)?;
    Ok(Yamux::default().mux(secured.io, Role::Dialer, Arc::new(Unlimited)))
}

/// Refuses every stream: dropping one resets it.
async fn serve(mut accept: Box<dyn AcceptStreams>) {
    while poll_fn(|cx| accept.poll_accept(cx)).await.is_ok() {}
}

/// Opens a stream on each connection, and counts the echoes that came back whole.
async fn echo_all(connections: &[Handle]) -> usize {
    let (gate, mut echoes) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for connection in connections {
        let (connection, gate) = (connection.clone(), gate.clone());
        echoes.spawn(async move {
            let _permit = gate.acquire().await;
            matches!(timeout(PATIENCE, echo(&connection)).await, Ok(Ok(ECHO_BYTES)))
        });
    }
    echoes.join_all().await.into_iter().filter(|whole| *whole).count()
}

async fn echo(connection: &Handle) -> io::Result<usize> {
    let stream = connection.open().await.map_err(io::Error::other)?;
    let opened = sinew_multistream::open(stream, vec![ECHO], &OpenOptions::default()).await;
    let (_, mut stream) = opened.map_err(io::Error::other)?;
    stream.write_all(&[7; ECHO_BYTES]).await?;
    stream.shutdown().await?;
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await
}
