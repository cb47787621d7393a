//! Datagrams inside the process, which arrive after a latency.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use sinew_core::Instant;
use sinew_identity::Keypair;
use sinew_runtime::{Timer, now};

use crate::{Certificate, Config, QuicTransport, endpoint::Net, runtime::Tasks};

/// What is on the way to a socket, or waits for its reader: the largest windows fit.
const INBOX: usize = 16_384;

/// Sockets that reach each other.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    sockets: Arc<Mutex<BTreeMap<SocketAddr, Arc<Inbox>>>>,
    latency: Duration,
    traffic: Arc<Mutex<Traffic>>,
}

/// What went over the network, and who hears nothing of it.
#[derive(Default, Debug)]
struct Traffic {
    sent: BTreeMap<SocketAddr, (usize, usize)>,
    deaf: BTreeSet<IpAddr>,
    /// Behind a NAT: heard are answers only.
    hidden: BTreeSet<IpAddr>,
    /// Who sent to whom.
    holes: BTreeSet<(SocketAddr, SocketAddr)>,
    stumbling: BTreeMap<SocketAddr, Stumbling>,
}

/// Who loses acknowledgements: the first datagram after a silence, and after five milliseconds, in which data is repeated,
/// all for as long as acknowledgements are kept back and asked for.
#[derive(Debug)]
struct Stumbling {
    first: Instant,
    last: Instant,
}

impl Stumbling {
    fn loses(&mut self, now: Instant) -> bool {
        let silence = now - self.last;
        self.last = now;
        if silence > Duration::from_millis(50) {
            self.first = now;
            return true;
        }
        (5..45).contains(&(now - self.first).as_millis())
    }
}

#[derive(Debug)]
struct Inbox {
    state: Mutex<State>,
}

#[derive(Default, Debug)]
struct State {
    arriving: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    reader: Option<Waker>,
    timer: Timer,
    /// Most buffers that the reader came with.
    lent: usize,
}

impl Network {
    pub(crate) fn new(latency: Duration) -> Self {
        Self {
            sockets: Arc::default(),
            latency,
            traffic: Arc::default(),
        }
    }

    /// A node of its own on this network.
    pub(crate) fn node(&self, config: Config) -> QuicTransport {
        let certificate = Certificate::new(&Keypair::generate()).expect("a key that signs");
        QuicTransport::over(self.clone(), certificate, config)
    }

    /// Datagrams and bytes that `from` has sent.
    pub(crate) fn sent(&self, from: SocketAddr) -> (usize, usize) {
        lock(&self.traffic).sent.get(&from).copied().unwrap_or_default()
    }

    /// The most buffers that whoever reads at `addr` has offered at once.
    pub(crate) fn lent(&self, addr: SocketAddr) -> usize {
        let inbox = lock(&self.sockets)[&addr].clone();
        lock(&inbox.state).lent
    }

    /// From now on nothing arrives at `ip`.
    pub(crate) fn deafen(&self, ip: IpAddr) {
        lock(&self.traffic).deaf.insert(ip);
    }

    /// From now on nothing arrives at `ip` but from where it has sent to.
    pub(crate) fn hide(&self, ip: IpAddr) {
        lock(&self.traffic).hidden.insert(ip);
    }

    /// From now on acknowledgements from `addr` get lost.
    pub(crate) fn stumble(&self, addr: SocketAddr) {
        let (first, last) = (now(), now());
        lock(&self.traffic)
            .stumbling
            .insert(addr, Stumbling { first, last });
    }

    /// Sends a datagram from an address that may be anybody's.
    pub(crate) fn send(&self, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        let mut traffic = lock(&self.traffic);
        let (datagrams, bytes) = traffic.sent.entry(from).or_default();
        *datagrams += 1;
        *bytes += payload.len();
        traffic.holes.insert((from, to));
        let wall = traffic.hidden.contains(&to.ip()) && !traffic.holes.contains(&(to, from));
        let stumbling = traffic.stumbling.get_mut(&from);
        let lost = stumbling.is_some_and(|stumbling| stumbling.loses(now()));
        let deaf = traffic.deaf.contains(&to.ip()) || wall || lost;
        drop(traffic);
        if let Some(inbox) = lock(&self.sockets).get(&to).filter(|_| !deaf) {
            inbox.push(now() + self.latency, from, payload);
        }
    }
}

impl Net for Network {
    fn bind(&self, addr: SocketAddr, _: &Tasks) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let mut sockets = lock(&self.sockets);
        let mut addr = addr;
        if addr.ip().is_unspecified() {
            // One machine with one address a family.
            addr.set_ip(if addr.is_ipv4() {
                [192, 0, 2, 1].into()
            } else {
                "2001:db8::1".parse().expect("an address")
            });
        }
        if addr.port() == 0 {
            let free = (10_000..).find(|port| !sockets.contains_key(&SocketAddr::new(addr.ip(), *port)));
            addr.set_port(free.expect("a port is free"));
        }
        if sockets.contains_key(&addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let inbox = Arc::new(Inbox {
            state: Mutex::default(),
        });
        sockets.insert(addr, inbox.clone());
        let network = self.clone();
        Ok(Arc::new(MemorySocket { network, addr, inbox }))
    }
}

#[derive(Debug)]
struct MemorySocket {
    network: Network,
    addr: SocketAddr,
    inbox: Arc<Inbox>,
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        lock(&self.network.sockets).remove(&self.addr);
    }
}

impl Inbox {
    fn push(&self, at: Instant, from: SocketAddr, payload: &[u8]) {
        let mut state = lock(&self.state);
        if state.arriving.len() < INBOX {
            state.arriving.push_back((at, from, payload.to_vec()));
        }
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncUdpSocket for MemorySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let step = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for datagram in transmit.contents.chunks(step) {
            self.network.send(self.addr, transmit.destination, datagram);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut state = lock(&self.inbox.state);
        state.lent = state.lent.max(bufs.len());
        let mut received = 0;
        while let (Some((at, from, payload)), true) = (state.arriving.front(), received < bufs.len()) {
            if *at > now() {
                break;
            }
            bufs[received][..payload.len()].copy_from_slice(payload);
            metas[received] = RecvMeta {
                addr: *from,
                len: payload.len(),
                stride: payload.len(),
                ecn: None,
                dst_ip: Some(self.addr.ip()),
            };
            received += 1;
            state.arriving.pop_front();
        }
        if received > 0 {
            return Poll::Ready(Ok(received));
        }
        state.reader = Some(cx.waker().clone());
        let next = state.arriving.front().map(|(at, ..)| *at);
        if state.timer.poll(cx, next).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
