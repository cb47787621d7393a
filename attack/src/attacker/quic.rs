//! Datagrams at a QUIC endpoint: rubbish, versions that do not exist, and handshakes that nobody means to finish.

use super::{Aim, outcome::Outcome, source};
use quinn_proto::{ClientConfig, Endpoint, EndpointConfig, crypto::rustls::QuicClientConfig};
use sinew_identity::Keypair;
use sinew_tls::{Certificate, Verifier, client_config};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::UdpSocket,
    task::{JoinSet, spawn_blocking, yield_now},
    time::{sleep, timeout},
};

/// Sockets that send, each from an address of its own.
const SOCKETS: usize = 4;

/// Addresses that half-open handshakes come from.
const ADDRESSES: usize = 50;

/// What a client's first datagram is padded to (RFC 9000, section 14.1).
const DATAGRAM: usize = 1200;

/// Datagrams after which a sender lets others run.
const BATCH: u64 = 64;

/// How long answers to a half-open handshake are counted: longer than any deadline for one.
const LONG_ENOUGH: Duration = Duration::from_secs(12);

/// Rubbish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rubbish {
    /// Random bytes that look like packets of a connection that does not exist.
    Garbage,
    /// First packets of a version that does not exist.
    Versions,
}

/// Sends rubbish as fast as it goes. An outcome a socket; what was sent counts datagrams.
pub(super) async fn rubbish(aim: &Aim, kind: Rubbish) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..SOCKETS {
        let aim = aim.clone();
        all.spawn(async move { throw(&aim, kind, number).await.unwrap_or_default() });
    }
    all.join_all().await
}

async fn throw(aim: &Aim, kind: Rubbish, number: usize) -> io::Result<Outcome> {
    let (socket, until) = (
        bound(number, aim.place.socket).await?,
        Instant::now() + aim.lasting,
    );
    let (mut sent, mut datagram) = (0, [0; DATAGRAM]);
    while Instant::now() < until {
        sinew_crypto::random(&mut datagram[..64]);
        match kind {
            // A short header.
            Rubbish::Garbage => datagram[0] = datagram[0] & 0x3f | 0x40,
            // A long header, a version of the reserved pattern, and connection ids of 8 bytes.
            Rubbish::Versions => {
                datagram[0] |= 0xc0;
                datagram[1..6].copy_from_slice(&[0x1a, 0x2a, 0x3a, 0x4a, 8]);
                datagram[14] = 8;
            }
        }
        // A full buffer on the way is the attacker's loss.
        sent += u64::from(socket.send(&datagram).await.is_ok());
        if sent % BATCH == 0 {
            yield_now().await;
        }
    }
    Ok(Outcome::of(None, sent))
}

/// First packets of new connections without end, whose answers nobody reads.
pub(super) async fn initial_flood(aim: &Aim) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..SOCKETS {
        let aim = aim.clone();
        all.spawn(async move { flood(&aim, number).await.unwrap_or_default() });
    }
    all.join_all().await
}

async fn flood(aim: &Aim, number: usize) -> io::Result<Outcome> {
    let (socket, until) = (
        bound(number, aim.place.socket).await?,
        Instant::now() + aim.lasting,
    );
    let (to, mut sent) = (aim.place.socket, 0);
    while Instant::now() < until {
        // Keys for a handshake cost the attacker what they cost: a thread of its own makes them.
        let batch = spawn_blocking(move || (0..16).map(|_| first_flight(to)).collect::<Vec<_>>());
        for datagram in batch.await.map_err(io::Error::other)?.into_iter().flatten() {
            sent += u64::from(socket.send(&datagram).await.is_ok());
        }
    }
    Ok(Outcome::of(None, sent))
}

/// `count` handshakes that are begun and left. An outcome each; what was sent counts the bytes that came back for each
/// byte, in hundredths.
pub(super) async fn half_open(aim: &Aim, count: usize) -> Vec<Outcome> {
    let mut all = JoinSet::new();
    for number in 0..count {
        let aim = aim.clone();
        all.spawn(async move { begin(&aim, number % ADDRESSES).await.unwrap_or_default() });
        // As many a second as the target could take in: it is the waiting that hurts.
        sleep(Duration::from_millis(1)).await;
    }
    all.join_all().await
}

async fn begin(aim: &Aim, number: usize) -> io::Result<Outcome> {
    let (socket, to) = (bound(number, aim.place.socket).await?, aim.place.socket);
    let flight = spawn_blocking(move || first_flight(to))
        .await
        .map_err(io::Error::other)?;
    let (mut sent, mut back) = (0, 0);
    for datagram in &flight {
        sent += socket.send(datagram).await?;
    }
    let (mut buffer, until) = ([0; 2048], tokio::time::Instant::now() + LONG_ENOUGH);
    while let Ok(Ok(length)) = tokio::time::timeout_at(until, socket.recv(&mut buffer)).await {
        back += length;
    }
    Ok(Outcome::of(None, (100 * back / sent.max(1)) as u64))
}

/// A socket from an address of choice.
async fn bound(number: usize, to: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(source(number).into(), 0)).await?;
    timeout(Duration::from_secs(1), socket.connect(to)).await??;
    Ok(socket)
}

/// What a client of a fresh identity sends first: one datagram, or two with a large key share.
fn first_flight(to: SocketAddr) -> Vec<Vec<u8>> {
    let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, false, None);
    let now = Instant::now();
    let connected = endpoint.connect(now, client(), to, "l");
    let (_, mut connection) = connected.expect("an endpoint of its own has room for one connection");
    let mut flight = Vec::new();
    loop {
        let mut datagram = Vec::new();
        if connection.poll_transmit(now, 1, &mut datagram).is_none() {
            return flight;
        }
        flight.push(datagram);
    }
}

fn client() -> ClientConfig {
    let certificate = Certificate::new(&Keypair::generate()).expect("a fresh key signs");
    let config = client_config(&certificate, Verifier::new(None), vec![b"libp2p".to_vec()]);
    let crypto = QuicClientConfig::try_from(config).expect("the provider has the suite of first packets");
    ClientConfig::new(Arc::new(crypto))
}
