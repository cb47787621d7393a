//! The limit of QUIC: quinn alone, with the certificates, ciphers, mutual authentication, sockets and windows of the transport.

use bytes::Bytes;
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, Incoming, NoneTokenStore, RecvStream, SendStream, ServerConfig,
    TokioRuntime, TransportConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use sinew::{
    Keypair,
    quic::{self, Certificate},
};
use sinew_bench_cases::{BenchError, Buffered, Connection, Node, Served, Service, Stream, serve};
use sinew_socket::bind_udp;
use sinew_tls::{Verifier, client_config, server_config};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    io::{Join, join},
    task::JoinSet,
};

const ALPN: &[u8] = b"libp2p";

/// An endpoint, and a listener's tasks.
pub(crate) struct PlainQuinn {
    endpoint: Endpoint,
    certificate: Certificate,
    transport: Arc<TransportConfig>,
    _accepting: JoinSet<()>,
}

impl Node for PlainQuinn {
    const LIBRARY: (&'static str, &'static str) = ("plain quinn", "0.11");
    type Connection = PlainConnection;

    async fn listener(stack: &str, ip: Ipv4Addr) -> Result<Served<Self>, BenchError> {
        let certificate = certificate()?;
        let tls = server_config(&certificate, Verifier::new(None), vec![ALPN.to_vec()]);
        let crypto = QuicServerConfig::try_from(tls).map_err(BenchError::library("the suite"))?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        let transport = transport(stack);
        config.transport_config(transport.clone());
        config.validation_token.sent(0);
        let endpoint = endpoint(ip, Some(config))?;
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(endpoint.clone()));
        Ok(Served {
            addr: endpoint.local_addr()?.to_string(),
            node: Self {
                endpoint,
                certificate,
                transport,
                _accepting: accepting,
            },
        })
    }

    async fn dialer(stack: &str) -> Result<Self, BenchError> {
        Ok(Self {
            endpoint: endpoint(Ipv4Addr::UNSPECIFIED, None)?,
            certificate: certificate()?,
            transport: transport(stack),
            _accepting: JoinSet::new(),
        })
    }

    async fn dial(&self, addr: &str) -> Result<PlainConnection, BenchError> {
        let addr = addr.parse().map_err(BenchError::library("the address"))?;
        let tls = client_config(&self.certificate, Verifier::new(None), vec![ALPN.to_vec()]);
        let crypto = QuicClientConfig::try_from(tls).map_err(BenchError::library("the suite"))?;
        let mut config = ClientConfig::new(Arc::new(crypto));
        config
            .transport_config(self.transport.clone())
            .token_store(Arc::new(NoneTokenStore));
        let connecting = self.endpoint.connect_with(config, addr, "libp2p");
        let connecting = connecting.map_err(BenchError::library("dialling"))?;
        let connected = connecting.await;
        connected
            .map(PlainConnection)
            .map_err(BenchError::library("dialling"))
    }
}

/// Over a socket with the buffers of the transport's.
fn endpoint(ip: Ipv4Addr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
    let socket = bind_udp(SocketAddr::from((ip, 0)))?;
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime))
}

fn certificate() -> Result<Certificate, BenchError> {
    Certificate::new(&Keypair::generate()).map_err(BenchError::library("a certificate"))
}

/// The windows that ours grow to, from the beginning; quinn's own where the stack says so.
fn transport(stack: &str) -> Arc<TransportConfig> {
    let ours = match stack {
        "plain-quinn-high" => quic::Config::high_throughput(),
        _ => quic::Config::default(),
    };
    let mut config = TransportConfig::default();
    if stack != "plain-quinn-own" {
        config
            .stream_receive_window(ours.stream_window.into())
            .receive_window(ours.max_connection_window.into())
            .send_window(ours.max_send_window.into());
    }
    config
        .max_concurrent_bidi_streams(ours.max_streams.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(ours.keep_alive)
        .max_idle_timeout(ours.idle_timeout.try_into().ok());
    Arc::new(config)
}

async fn accept(endpoint: Endpoint) {
    let mut serving = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        serving.spawn(async move { drop(serve_connection(incoming).await) });
        while serving.try_join_next().is_some() {}
    }
}

async fn serve_connection(incoming: Incoming) -> Result<(), BenchError> {
    let connection = incoming.await.map_err(BenchError::library("accepting"))?;
    let mut serving = JoinSet::new();
    // An error is the end of the connection.
    while let Ok((send, receive)) = connection.accept_bi().await {
        serving.spawn(async move { drop(serve_stream(send, receive).await) });
        while serving.try_join_next().is_some() {}
    }
    Ok(())
}

async fn serve_stream(send: SendStream, mut receive: RecvStream) -> Result<(), BenchError> {
    let mut first = [0];
    let read = receive.read_exact(&mut first).await;
    read.map_err(BenchError::library("the first byte"))?;
    let service = Service::of_byte(first[0]).ok_or(BenchError::Stack)?;
    serve(service, Buffered::new(join(receive, send), service)).await
}

/// A connection.
pub(crate) struct PlainConnection(quinn::Connection);

impl Connection for PlainConnection {
    type Stream = PlainStream;

    async fn open(&self, service: Service) -> Result<PlainStream, BenchError> {
        let (send, receive) = self.0.open_bi().await.map_err(BenchError::library("a stream"))?;
        Ok(PlainStream {
            service: Some(service),
            stream: Buffered::new(join(receive, send), service),
        })
    }

    async fn close(self) -> Result<(), BenchError> {
        self.0.close(0_u32.into(), b"");
        self.0.closed().await;
        Ok(())
    }
}

/// A stream that the dialler opened.
pub(crate) struct PlainStream {
    /// Until it was said with the first bytes.
    service: Option<Service>,
    stream: Buffered<Join<RecvStream, SendStream>>,
}

impl Stream for PlainStream {
    async fn read(&mut self) -> io::Result<&[u8]> {
        self.stream.read().await
    }

    async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        match self.service.take() {
            Some(service) => {
                let first = [&[service.byte()], &chunk[..]].concat();
                self.stream.write(Bytes::from(first)).await
            }
            None => self.stream.write(chunk).await,
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.stream.finish().await
    }
}
