//! Whole nodes as a transport: its connections are theirs, its streams are those that they have negotiated.

use crate::product::Product;
use async_trait::async_trait;
use bytes::Bytes;
use sinew::{
    CloseCode, CloseReason, Connection, ConnectionEvent, DialOptions, Host, Multiaddr, OpenError, Stream,
    sinew_core::{
        AcceptStreams, BoxFuture, DialRequest, Incoming, Link, Listener, ListenerEvent, MuxError, Muxed,
        MuxedConnection, MuxedStream, Refusal, ResourceScope, SecureConnection, StreamId, Subscription,
        Transport, TransportError,
    },
};
use std::{
    error::Error,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};

const PROTOCOL: &str = "/conformance/1.0.0";

/// Nodes of one product, two for each connection.
#[derive(Debug)]
pub(crate) struct Nodes(pub(crate) Arc<Product>);

/// A node, and the streams that others open to it.
struct Node {
    host: Host,
    streams: mpsc::Receiver<Stream>,
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> TransportError {
    io::Error::other(error).into()
}

impl Nodes {
    async fn start(&self, listen: Option<&Multiaddr>) -> Result<Node, TransportError> {
        let builder = self.0.node().map_err(failed)?;
        let builder = listen
            .into_iter()
            .fold(builder, |builder, addr| builder.listen(addr.clone()));
        let host = builder.start().await.map_err(failed)?;
        let (accepted, streams) = mpsc::channel(1);
        let handler = move |stream| {
            let accepted = accepted.clone();
            async move {
                // Whoever accepts no more lets the stream go, which resets it.
                let _ = accepted.send(stream).await;
            }
        };
        host.set_stream_handler(PROTOCOL, handler).map_err(failed)?;
        Ok(Node { host, streams })
    }
}

#[async_trait]
impl Transport for Nodes {
    fn name(&self) -> &'static str {
        "nodes"
    }

    fn handles(&self, _: &Multiaddr) -> bool {
        true
    }

    async fn dial(&self, addr: &Multiaddr, _: DialRequest) -> Result<Link, TransportError> {
        let node = self.start(None).await?;
        let dialled = node.host.dial(addr.clone(), DialOptions::default()).await;
        let connection = dialled.map_err(failed)?;
        let info = connection.info();
        let upgrades = info.security.clone().zip(info.muxer.clone());
        assert_eq!(
            upgrades.map(<[_; 2]>::from),
            self.0.names(),
            "{} is not what was made",
            self.0
        );
        Ok(Link::Secure(node.connected(connection)))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let node = self.start(Some(addr)).await?;
        Ok(Box::new(Listening {
            addrs: node.host.listen_addrs(),
            events: node.host.subscribe(),
            node: Some(node),
        }))
    }
}

/// A listener of one connection.
struct Listening {
    addrs: Vec<Multiaddr>,
    events: Subscription<ConnectionEvent>,
    /// Gone with the connection.
    node: Option<Node>,
}

#[async_trait]
impl Listener for Listening {
    fn addresses(&self) -> Vec<Multiaddr> {
        self.addrs.clone()
    }

    async fn next(&mut self) -> ListenerEvent {
        loop {
            let error = match self.events.next().await {
                Ok(Some(ConnectionEvent::Opened(info))) => {
                    let node = self.node.take().expect("it has one connection");
                    let connection = node.host.connection_by_id(&info.peer, info.id);
                    if let Some(connection) = connection {
                        return ListenerEvent::Incoming(Box::new(Accepted(node.connected(connection))));
                    }
                    failed("it ended at once")
                }
                Ok(Some(ConnectionEvent::InboundFailed { error, .. })) => failed(error.to_string()),
                Ok(Some(_)) => continue,
                Ok(None) => failed("the node has ended"),
                Err(lagged) => failed(lagged),
            };
            return ListenerEvent::Closed(error);
        }
    }
}

struct Accepted(SecureConnection);

#[async_trait]
impl Incoming for Accepted {
    fn local(&self) -> &Multiaddr {
        &self.0.local
    }

    fn remote(&self) -> &Multiaddr {
        &self.0.remote
    }

    async fn finish(self: Box<Self>, _: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        Ok(Link::Secure(self.0))
    }

    fn refuse(self: Box<Self>, _: Refusal) {}
}

impl Node {
    /// The connection of a node as if its streams were a muxer's. The node ends with it.
    fn connected(self, connection: Connection) -> SecureConnection {
        let Self { host, streams } = self;
        let info = connection.info().clone();
        let handle = Arc::new(Handle(connection));
        let (closed, ended) = (handle.closed(), handle.closed());
        let driver = Box::pin(async move {
            let reason = ended.await;
            host.shutdown(Duration::ZERO).await;
            reason
        });
        let accept = Box::new(Accept {
            streams,
            closed,
            reason: None,
        });
        let muxed = Muxed::new(handle, accept, driver);
        let (local, remote) = (info.local.clone(), info.remote.clone());
        SecureConnection::new(muxed, info.key.clone(), local, remote)
    }
}

struct Handle(Connection);

impl MuxedConnection for Handle {
    fn open(&self) -> BoxFuture<'static, Result<Box<dyn MuxedStream>, MuxError>> {
        let connection = self.0.clone();
        Box::pin(async move {
            match connection.open([PROTOCOL]).await {
                Ok(stream) => Ok(Box::new(Negotiated::new(stream)) as Box<dyn MuxedStream>),
                Err(OpenError::Muxer { error, .. }) => Err(error),
                Err(OpenError::Limit { error, .. }) => Err(error.into()),
                Err(OpenError::NotConnected(_)) => Err(MuxError::Closed(connection.closed().await)),
                Err(other) => panic!("{other}"),
            }
        })
    }

    fn close(&self, code: CloseCode) {
        self.0.close(code);
    }

    fn closed(&self) -> BoxFuture<'static, CloseReason> {
        let connection = self.0.clone();
        Box::pin(async move { connection.closed().await })
    }
}

struct Accept {
    streams: mpsc::Receiver<Stream>,
    closed: BoxFuture<'static, CloseReason>,
    reason: Option<CloseReason>,
}

impl AcceptStreams for Accept {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn MuxedStream>, CloseReason>> {
        if let Poll::Ready(Some(stream)) = self.streams.poll_recv(cx) {
            return Poll::Ready(Ok(Box::new(Negotiated::new(stream))));
        }
        let reason = match &self.reason {
            Some(reason) => reason.clone(),
            None => ready!(self.closed.as_mut().poll(cx)),
        };
        self.reason = Some(reason.clone());
        Poll::Ready(Err(reason))
    }
}

/// A stream of a node, which resetting uses up.
struct Negotiated {
    id: StreamId,
    stream: Option<Stream>,
}

impl Negotiated {
    fn new(stream: Stream) -> Self {
        Self {
            id: stream.id(),
            stream: Some(stream),
        }
    }

    fn stream(&mut self) -> io::Result<&mut Stream> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }
}

impl AsyncRead for Negotiated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.stream()?).poll_read(cx, buf)
    }
}

impl AsyncWrite for Negotiated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.stream()?).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream()?).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream()?).poll_shutdown(cx)
    }
}

impl MuxedStream for Negotiated {
    fn id(&self) -> StreamId {
        self.id
    }

    fn reset(&mut self, code: CloseCode) {
        if let Some(stream) = self.stream.take() {
            stream.reset(code);
        }
    }

    fn stop(&mut self, code: CloseCode) {
        if let Some(stream) = &mut self.stream {
            stream.stop(code);
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        self.stream()?.poll_chunk(cx, max)
    }

    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        self.stream()?.poll_write_chunk(cx, chunk)
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        match &mut self.stream {
            Some(stream) => pin!(stream.reset_by_peer()).poll(cx),
            None => Poll::Pending,
        }
    }
}
