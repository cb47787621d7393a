//! A Sinew host with one transport, one security and yamux, and without any service.

use bytes::Bytes;
use sinew::{
    CloseCode, DialOptions, Host, HostBuilder, Keypair, Limits, Multiaddr, Node, OpenOptions, ProtocolId,
    noise::Noise,
    quic::{self, QuicTransport},
    tcp::TcpTransport,
    tls::Tls,
    websocket::WebSocketTransport,
    yamux::{self, Yamux},
};
use sinew_bench_cases::{BenchError, Connection, Served, Service, Stream, serve};
use std::{io, net::Ipv4Addr};

/// The stack whose windows do not grow, which is what a path of some length needs.
const FIXED: &str = "tcp/noise/yamux-256k";

/// What every stream of yamux starts with.
const FIRST_WINDOW: u32 = 256 << 10;

/// A host.
pub(crate) struct SinewNode(Host);

impl sinew_bench_cases::Node for SinewNode {
    const LIBRARY: (&'static str, &'static str) = ("sinew", env!("CARGO_PKG_VERSION"));
    type Connection = SinewConnection;

    async fn listener(stack: &str, ip: Ipv4Addr) -> Result<Served<Self>, BenchError> {
        let host = start(stack).await?;
        for service in Service::ALL {
            host.set_stream_handler(service.protocol(), move |stream| async move {
                // The client has gone, or says what went wrong.
                let _ = serve(service, SinewStream::new(stream)).await;
            })
            .map_err(BenchError::library("a handler"))?;
        }
        let addr: Multiaddr = listen_addr(stack, ip).parse().expect("an address of ours");
        let addrs = host
            .listen(addr)
            .await
            .map_err(BenchError::library("listening"))?;
        let addr = addrs.first().ok_or(BenchError::Stack)?;
        Ok(Served {
            addr: format!("{addr}/p2p/{}", host.peer_id()),
            node: Self(host),
        })
    }

    async fn dialer(stack: &str) -> Result<Self, BenchError> {
        Ok(Self(start(stack).await?))
    }

    async fn dial(&self, addr: &str) -> Result<SinewConnection, BenchError> {
        let addr: Multiaddr = addr.parse().map_err(BenchError::library("the address"))?;
        let dialled = self.0.dial(addr, DialOptions::default()).await;
        dialled
            .map(SinewConnection)
            .map_err(BenchError::library("dialling"))
    }
}

async fn start(stack: &str) -> Result<Host, BenchError> {
    build(stack)?.start().await.map_err(BenchError::library("a node"))
}

/// Without limits for each address and peer: one machine plays many here.
pub(crate) fn build(stack: &str) -> Result<HostBuilder, BenchError> {
    Ok(layers(stack)?.limits(Limits::one_machine_plays_many()))
}

fn layers(stack: &str) -> Result<HostBuilder, BenchError> {
    let key = Keypair::generate();
    let bare = Node::bare(key.clone());
    let layers = match stack {
        "tcp/noise/yamux" | FIXED | "tcp/tls/yamux" => bare.transport(TcpTransport::new()),
        "ws/noise/yamux" => bare.transport(WebSocketTransport::new()),
        "quic-v1" => return with_quic(bare, &key, quic::Config::default()),
        "quic-v1-high" => return with_quic(bare, &key, quic::Config::high_throughput()),
        _ => return Err(BenchError::Stack),
    };
    let secured = if stack == "tcp/tls/yamux" {
        layers.security(Tls::new(&key).map_err(BenchError::library("a certificate"))?)
    } else {
        layers.security(Noise::new(&key).map_err(BenchError::library("a static key"))?)
    };
    let mut config = yamux::Config::default();
    if stack == FIXED {
        config.max_window = FIRST_WINDOW;
    }
    Ok(secured.muxer(Yamux::new(config)))
}

fn with_quic(bare: HostBuilder, key: &Keypair, config: quic::Config) -> Result<HostBuilder, BenchError> {
    let certificate = quic::Certificate::new(key).map_err(BenchError::library("a certificate"))?;
    Ok(bare.transport(QuicTransport::new(certificate, config)))
}

pub(crate) fn listen_addr(stack: &str, ip: Ipv4Addr) -> String {
    match stack {
        "quic-v1" | "quic-v1-high" => format!("/ip4/{ip}/udp/0/quic-v1"),
        "ws/noise/yamux" => format!("/ip4/{ip}/tcp/0/ws"),
        _ => format!("/ip4/{ip}/tcp/0"),
    }
}

/// A connection.
pub(crate) struct SinewConnection(sinew::Connection);

impl Connection for SinewConnection {
    type Stream = SinewStream;

    async fn open(&self, service: Service) -> Result<SinewStream, BenchError> {
        // What the host does by itself once identify has told it that the peer is one that takes it.
        let options = OpenOptions::default().finish_early();
        let opened = self
            .0
            .open_with([ProtocolId::from_static(service.protocol())], options)
            .await;
        opened
            .map(SinewStream::new)
            .map_err(BenchError::library("a stream"))
    }

    async fn close(self) -> Result<(), BenchError> {
        self.0.close(CloseCode::NONE);
        self.0.closed().await;
        Ok(())
    }
}

/// A stream, read without copying.
pub(crate) struct SinewStream {
    stream: sinew::Stream,
    chunk: Bytes,
}

impl SinewStream {
    fn new(stream: sinew::Stream) -> Self {
        Self {
            stream,
            chunk: Bytes::new(),
        }
    }
}

impl Stream for SinewStream {
    async fn read(&mut self) -> io::Result<&[u8]> {
        // Who waits holds nothing: a slice keeps the whole buffer that it arrived in.
        self.chunk = Bytes::new();
        self.chunk = self.stream.read_chunk().await?.unwrap_or_default();
        Ok(&self.chunk)
    }

    async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.stream.write_chunk(chunk).await
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.stream.finish().await
    }
}
