//! Holes in NATs, made by the side that is dialled through them: it sends datagrams without meaning, so that its own NAT
//! lets in who answers, and waits for the dial.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quinn::Incoming;
use sinew_runtime::timeout;
use tokio::sync::mpsc;

use crate::socket::Socket;

/// spec: dcutr, The Protocol: random intervals between 10 and 200 ms.
const SHORTEST: u16 = 10;
const LONGEST: u16 = 200;

/// Random bytes in a datagram, as many as go and rust send. A peer answers so short a one with nothing.
const LENGTH: usize = 64;

/// Who is expected at a socket: addresses, and who waits for a connection from there.
#[derive(Default, Debug)]
pub(crate) struct Expected(Mutex<BTreeMap<SocketAddr, mpsc::Sender<Incoming>>>);

impl Expected {
    /// Gives a connection to who waits for it, or back: to nobody else is it different from any other.
    pub(crate) fn offer(&self, incoming: Incoming) -> Option<Incoming> {
        let waiting = self.lock().get(&incoming.remote_address()).cloned();
        match waiting {
            Some(waiting) => waiting
                .try_send(incoming)
                .err()
                .map(mpsc::error::TrySendError::into_inner),
            None => Some(incoming),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, mpsc::Sender<Incoming>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hole towards one address, for as long as this lives. Of two towards the same, the newer one gets who arrives.
#[derive(Debug)]
pub(crate) struct Punch<'a> {
    socket: &'a Socket,
    remote: SocketAddr,
    waiting: mpsc::Sender<Incoming>,
    arrived: mpsc::Receiver<Incoming>,
}

impl<'a> Punch<'a> {
    pub(crate) fn new(socket: &'a Socket, remote: SocketAddr) -> Self {
        let (waiting, arrived) = mpsc::channel(1);
        socket.expected.lock().insert(remote, waiting.clone());
        Self {
            socket,
            remote,
            waiting,
            arrived,
        }
    }

    /// Sends until somebody arrives from the address, which anybody may have written on a packet.
    pub(crate) async fn arrival(&mut self) -> Incoming {
        loop {
            let mut random = [0; LENGTH + 2];
            sinew_crypto::random(&mut random);
            let [first, second, contents @ ..] = random;
            // Where it cannot leave, the next one may.
            let _ = self.socket.send(self.remote, &contents);
            let spread = u16::from_le_bytes([first, second]) % (LONGEST - SHORTEST + 1);
            let interval = Duration::from_millis((SHORTEST + spread).into());
            if let Ok(Some(incoming)) = timeout(interval, self.arrived.recv()).await {
                return incoming;
            }
        }
    }
}

impl Drop for Punch<'_> {
    fn drop(&mut self) {
        let mut expected = self.socket.expected.lock();
        if let Some(waiting) = expected.remove(&self.remote)
            && !waiting.same_channel(&self.waiting)
        {
            expected.insert(self.remote, waiting);
        }
    }
}
