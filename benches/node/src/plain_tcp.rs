//! The limit of stacks over TCP: sockets of tokio, without security or muxer. A stream is a socket of its own; requests go
//! one after the other over a socket that stays, so that their limit is an echo.

use bytes::Bytes;
use sinew_bench_cases::{BenchError, Buffered, Connection, Node, Served, Service, Stream, serve};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Bytes of a request, and of its answer.
const REQUEST: (usize, usize) = (40, 32);

/// A listener's tasks; nothing for a dialler.
pub(crate) struct PlainTcp {
    _accepting: JoinSet<()>,
}

impl Node for PlainTcp {
    const LIBRARY: (&'static str, &'static str) = ("plain tokio", "1");
    type Connection = PlainConnection;

    async fn listener(_: &str, ip: Ipv4Addr) -> Result<Served<Self>, BenchError> {
        let socket = TcpListener::bind((ip, 0)).await?;
        let addr = socket.local_addr()?.to_string();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = socket.accept().await {
                serving.spawn(async move { drop(serve_socket(stream).await) });
                while serving.try_join_next().is_some() {}
            }
        });
        Ok(Served {
            addr,
            node: Self {
                _accepting: accepting,
            },
        })
    }

    async fn dialer(_: &str) -> Result<Self, BenchError> {
        Ok(Self {
            _accepting: JoinSet::new(),
        })
    }

    async fn dial(&self, addr: &str) -> Result<PlainConnection, BenchError> {
        let addr = addr.parse().map_err(BenchError::library("the address"))?;
        Ok(PlainConnection {
            addr,
            asking: Arc::default(),
        })
    }
}

async fn serve_socket(mut socket: TcpStream) -> Result<(), BenchError> {
    socket.set_nodelay(true)?;
    match Service::of_byte(socket.read_u8().await?).ok_or(BenchError::Stack)? {
        Service::Request => {
            let mut question = [0; REQUEST.0];
            loop {
                socket.read_exact(&mut question).await?;
                socket.write_all(&[2; REQUEST.1]).await?;
            }
        }
        service => serve(service, Buffered::new(socket, service)).await,
    }
}

type Sockets = Arc<Mutex<Vec<TcpStream>>>;

/// Where the server is, and the sockets that no request uses now.
pub(crate) struct PlainConnection {
    addr: SocketAddr,
    asking: Sockets,
}

impl Connection for PlainConnection {
    type Stream = PlainStream;

    async fn open(&self, service: Service) -> Result<PlainStream, BenchError> {
        let spare = || self.asking.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let socket = match (service == Service::Request).then(spare).flatten() {
            Some(socket) => socket,
            None => connect(self.addr, service).await?,
        };
        Ok(match service {
            Service::Request => PlainStream::Request {
                socket: Some(socket),
                sockets: self.asking.clone(),
                answer: [0; REQUEST.1],
            },
            _ => PlainStream::Bulk(Buffered::new(socket, service)),
        })
    }

    async fn close(self) -> Result<(), BenchError> {
        Ok(())
    }
}

async fn connect(addr: SocketAddr, service: Service) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(addr).await?;
    socket.set_nodelay(true)?;
    socket.write_all(&[service.byte()]).await?;
    Ok(socket)
}

/// A socket for bytes, or one for a request that goes back when its answer is there.
pub(crate) enum PlainStream {
    /// For bytes.
    Bulk(Buffered<TcpStream>),
    /// For one request.
    Request {
        /// Until it has gone back.
        socket: Option<TcpStream>,
        /// Where it goes.
        sockets: Sockets,
        /// What was read.
        answer: [u8; REQUEST.1],
    },
}

impl Stream for PlainStream {
    async fn read(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Bulk(stream) => stream.read().await,
            Self::Request {
                socket,
                sockets,
                answer,
            } => {
                let Some(mut asked) = socket.take() else {
                    return Ok(&[]);
                };
                asked.read_exact(answer).await?;
                sockets.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                Ok(answer)
            }
        }
    }

    async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        match self {
            Self::Bulk(stream) => stream.write(chunk).await,
            Self::Request { socket, .. } => match socket {
                Some(socket) => socket.write_all(&chunk).await,
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Bulk(stream) => stream.finish().await,
            Self::Request { .. } => Ok(()),
        }
    }
}
