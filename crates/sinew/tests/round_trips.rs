//! How many round trips pass from a dial to the first byte of the first answer, over each stack: counted on a paused clock,
//! over pipes that take half a round trip in each direction.

#![cfg(all(feature = "noise", feature = "tls", feature = "websocket", feature = "yamux"))]

use async_trait::async_trait;
use sinew::{
    DialOptions, Host, HostBuilder, Keypair, Multiaddr, Node, ProtocolId, Stream,
    noise::Noise,
    sinew_core::{
        BoxedIo, ByteStream, DialRequest, Incoming, Link, Listener, ListenerEvent, RawConnection, Refusal,
        ResourceScope, SecureRequest, SecureUpgrade, Secured, SecurityError, Transport, TransportError,
    },
    tls::Tls,
    websocket::{Certificate, WebSocketTransport, WsAddr},
    yamux::Yamux,
};
use std::{
    collections::VecDeque,
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
    time::{Instant, Sleep, sleep, sleep_until},
};

const ROUND_TRIP: Duration = Duration::from_millis(100);

/// What a node sends to another one and the other has not read yet, with the time that it arrives at.
#[derive(Default)]
struct Direction {
    travelling: VecDeque<(Instant, Vec<u8>)>,
    ended: Option<Instant>,
    reader: Option<Waker>,
}

/// One end of a connection.
struct End {
    inbound: Arc<Mutex<Direction>>,
    outbound: Arc<Mutex<Direction>>,
    arrival: Pin<Box<Sleep>>,
}

fn pipe() -> (End, End) {
    let (there, back) = (Arc::default(), Arc::default());
    let end = |inbound: &Arc<_>, outbound: &Arc<_>| End {
        inbound: Arc::clone(inbound),
        outbound: Arc::clone(outbound),
        arrival: Box::pin(sleep(Duration::ZERO)),
    };
    (end(&back, &there), end(&there, &back))
}

fn with<T>(direction: &Mutex<Direction>, change: impl FnOnce(&mut Direction) -> T) -> T {
    change(&mut direction.lock().unwrap_or_else(PoisonError::into_inner))
}

impl End {
    fn end(&mut self) {
        with(&self.outbound, |outbound| {
            outbound.ended = outbound.ended.or(Some(Instant::now() + ROUND_TRIP / 2));
            outbound.reader.take().into_iter().for_each(Waker::wake);
        });
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let due = with(&self.inbound, |inbound| {
                let first = inbound.travelling.front_mut();
                let due = first.as_ref().map(|(due, _)| *due).or(inbound.ended);
                if let Some((_, bytes)) = first.filter(|(due, _)| *due <= Instant::now()) {
                    let len = bytes.len().min(out.remaining());
                    out.put_slice(&bytes[..len]);
                    bytes.drain(..len);
                    if bytes.is_empty() {
                        inbound.travelling.pop_front();
                    }
                    return None;
                }
                if due.is_none() {
                    inbound.reader = Some(cx.waker().clone());
                }
                Some(due)
            });
            match due {
                None => return Poll::Ready(Ok(())),
                Some(None) => return Poll::Pending,
                // The end.
                Some(Some(due)) if due <= Instant::now() => return Poll::Ready(Ok(())),
                Some(Some(due)) => {
                    self.arrival.as_mut().reset(due);
                    ready!(self.arrival.as_mut().poll(cx));
                }
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with(&self.outbound, |outbound| {
            let arrives = Instant::now() + ROUND_TRIP / 2;
            outbound.travelling.push_back((arrives, bytes.to_vec()));
            outbound.reader.take().into_iter().for_each(Waker::wake);
        });
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.end();
    }
}

/// A transport over such pipes: plain bytes, or what a WebSocket makes of them.
#[derive(Debug)]
struct Far {
    websocket: WebSocketTransport,
    arriving: mpsc::Sender<(Instant, End)>,
    arrivals: Mutex<Option<mpsc::Receiver<(Instant, End)>>>,
}

impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("End")
    }
}

/// Both ends of every connection: addresses are of no interest.
const THERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

fn plain(io: impl ByteStream, addr: &Multiaddr) -> RawConnection {
    RawConnection::new(Box::new(io), addr.clone(), addr.clone())
}

#[async_trait]
impl Transport for Far {
    fn name(&self) -> &'static str {
        "far"
    }

    fn handles(&self, _: &Multiaddr) -> bool {
        true
    }

    async fn dial(&self, addr: &Multiaddr, _: DialRequest) -> Result<Link, TransportError> {
        // TCP: a SYN there and one back; what is sent then arrives together with the end of that handshake.
        sleep(ROUND_TRIP).await;
        let (ours, theirs) = pipe();
        let arrival = (Instant::now() + ROUND_TRIP / 2, theirs);
        self.arriving
            .send(arrival)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(Link::Raw(match WsAddr::read(addr) {
            Some(to) => self.websocket.dial_over(ours, THERE, &to).await?,
            None => plain(ours, addr),
        }))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let arrivals = self
            .arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Ok(Box::new(Harbour {
            addr: addr.clone(),
            websocket: self.websocket.clone(),
            arrivals: arrivals.ok_or_else(|| TransportError::Unsupported(addr.clone()))?,
        }))
    }
}

struct Harbour {
    addr: Multiaddr,
    websocket: WebSocketTransport,
    arrivals: mpsc::Receiver<(Instant, End)>,
}

#[async_trait]
impl Listener for Harbour {
    fn addresses(&self) -> Vec<Multiaddr> {
        vec![self.addr.clone()]
    }

    async fn next(&mut self) -> ListenerEvent {
        let Some((due, end)) = self.arrivals.recv().await else {
            return std::future::pending().await;
        };
        sleep_until(due).await;
        ListenerEvent::Incoming(Box::new(Arrival {
            addr: self.addr.clone(),
            websocket: self.websocket.clone(),
            end,
        }))
    }
}

struct Arrival {
    addr: Multiaddr,
    websocket: WebSocketTransport,
    end: End,
}

#[async_trait]
impl Incoming for Arrival {
    fn local(&self) -> &Multiaddr {
        &self.addr
    }

    fn remote(&self) -> &Multiaddr {
        &self.addr
    }

    async fn finish(self: Box<Self>, _: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        Ok(Link::Raw(match WsAddr::read(&self.addr) {
            Some(at) => self.websocket.accept_over(self.end, at, THERE).await?,
            None => plain(self.end, &self.addr),
        }))
    }

    fn refuse(self: Box<Self>, _: Refusal) {}
}

/// A security protocol as a node offers it.
#[derive(Debug)]
struct Offered {
    protocol: Arc<dyn SecureUpgrade>,
    /// Whether the muxer is agreed on inside the handshake.
    early: bool,
}

#[async_trait]
impl SecureUpgrade for Offered {
    fn protocol(&self) -> ProtocolId {
        self.protocol.protocol()
    }

    async fn secure(&self, io: BoxedIo, mut request: SecureRequest) -> Result<Secured, SecurityError> {
        if !self.early {
            request.muxers.clear();
        }
        self.protocol.secure(io, request).await
    }
}

/// What two nodes talk over.
#[derive(Clone, Copy, Debug)]
struct Stack {
    addr: &'static str,
    /// What the dialler offers, best first; the listener takes all.
    security: &'static [Security],
    /// Whether the listener agrees on the muxer inside the handshake.
    early: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Security {
    Noise,
    Tls,
}

impl Security {
    fn of(self, key: &Keypair) -> Result<Arc<dyn SecureUpgrade>, Box<dyn Error>> {
        Ok(match self {
            Self::Noise => Arc::new(Noise::new(key)?),
            Self::Tls => Arc::new(Tls::new(key)?),
        })
    }
}

/// A node without transports.
fn node(security: &[Security], early: bool) -> Result<HostBuilder, Box<dyn Error>> {
    let key = Keypair::generate();
    let node = Node::bare(key.clone()).muxer(Yamux::default());
    security.iter().try_fold(node, |node, security| {
        let protocol = security.of(&key)?;
        Ok(node.security(Offered { protocol, early }))
    })
}

/// Two nodes, the first a server that answers.
async fn nodes(stack: &Stack) -> Result<[Host; 2], Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes())?;
    let websocket = WebSocketTransport::new()
        .with_certificate(certificate)
        .with_roots(vec![made.cert.der().clone()]);
    let (arriving, arrivals) = mpsc::channel(1);
    let far = |arrivals| Far {
        websocket: websocket.clone(),
        arriving: arriving.clone(),
        arrivals: Mutex::new(arrivals),
    };
    let server = node(&[Security::Noise, Security::Tls], stack.early)?.transport(far(Some(arrivals)));
    let server = server.listen(stack.addr.parse()?).start().await?;
    server.set_stream_handler("/question/1.0.0", answer)?;
    let client = node(stack.security, true)?.transport(far(None));
    Ok([server, client.start().await?])
}

/// Answers a request whose length is known, without waiting for its end.
async fn answer(mut stream: Stream) {
    let mut request = [0; 8];
    if stream.read_exact(&mut request).await.is_ok() {
        // Whoever has left needs no answer.
        let _ = stream.write_all(b"answer").await;
        let _ = stream.finish().await;
    }
}

/// Round trips until the first byte of an answer, in tenths.
async fn tenths(stack: Stack) -> Result<u128, Box<dyn Error>> {
    let [server, client] = nodes(&stack).await?;
    let started = Instant::now();
    let connection = client
        .dial(stack.addr.parse::<Multiaddr>()?, DialOptions::default())
        .await?;
    let mut stream = connection.open(["/question/1.0.0"]).await?;
    stream.write_all(b"question").await?;
    stream.flush().await?;
    stream.read_exact(&mut [0; 1]).await?;
    let passed = started.elapsed();
    let security = stack.security[0].of(&Keypair::generate())?.protocol();
    assert_eq!(connection.info().security, Some(security));
    assert_eq!(connection.info().early_muxer, stack.early);
    client.shutdown(Duration::ZERO).await;
    server.shutdown(Duration::ZERO).await;
    Ok(passed.as_millis() * 10 / ROUND_TRIP.as_millis())
}

/// TCP, and the same below a WebSocket, plain and secure: one for the connection, one for HTTP, one for the web's TLS.
const ADDRS: [(&str, u128); 3] = [
    ("/ip4/127.0.0.1/tcp/1", 10),
    ("/ip4/127.0.0.1/tcp/1/ws", 20),
    ("/ip4/127.0.0.1/tcp/1/tls/ws", 30),
];

/// Above them: the negotiation of security, its handshake, and the request with its answer. The muxer is agreed on inside
/// the handshake, and the stream's protocol together with the request.
#[tokio::test(start_paused = true)]
async fn with_a_choice_of_security() -> Result<(), Box<dyn Error>> {
    for (addr, below) in ADDRS {
        for security in [
            &[Security::Noise, Security::Tls],
            &[Security::Tls, Security::Noise],
        ] {
            let stack = Stack {
                addr,
                security,
                early: true,
            };
            assert_eq!(tenths(stack).await?, below + 30, "{stack:?}");
        }
    }
    Ok(())
}

/// Where one protocol will do, its handshake begins together with the proposal.
#[tokio::test(start_paused = true)]
async fn with_one_security_that_is_offered_optimistically() -> Result<(), Box<dyn Error>> {
    for (addr, below) in ADDRS {
        for security in [&[Security::Noise], &[Security::Tls]] {
            let stack = Stack {
                addr,
                security,
                early: true,
            };
            assert_eq!(tenths(stack).await?, below + 20, "{stack:?}");
        }
    }
    Ok(())
}

/// A peer that knows nothing of early muxers costs one more: the muxer is negotiated after the handshake.
#[tokio::test(start_paused = true)]
async fn with_a_muxer_that_is_negotiated_afterwards() -> Result<(), Box<dyn Error>> {
    for (security, expected) in [
        (&[Security::Noise, Security::Tls][..], 50),
        (&[Security::Tls, Security::Noise], 50),
        (&[Security::Noise], 40),
        (&[Security::Tls], 40),
    ] {
        let stack = Stack {
            addr: ADDRS[0].0,
            security,
            early: false,
        };
        assert_eq!(tenths(stack).await?, expected, "{stack:?}");
    }
    Ok(())
}
