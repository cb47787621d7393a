//! Connections of the attacker: sockets from an address of choice, and channels on them, over the stack of the row.

use super::{Aim, source};
use crate::rows::Stack;
use sinew_core::{BoxedIo, ProtocolId, Role, SecureRequest, SecureUpgrade};
use sinew_identity::Keypair;
use sinew_multistream::select;
use sinew_noise::Noise;
use sinew_tls::Tls;
use sinew_websocket::{WebSocketTransport, WsAddr};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// How long one step of getting in may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the muxer is agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Muxer {
    /// In the handshake where the target can, else after it: the connection is ready for frames.
    Agreed,
    /// Nowhere: the target waits for a negotiation.
    Never,
}

impl Aim {
    /// Connects from an address of that number.
    pub(super) async fn connect(&self, number: usize) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source(number).into(), 0))?;
        let stream = timeout(PATIENCE, socket.connect(self.place.socket)).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What security is negotiated on: the socket, or a WebSocket on it.
    pub(super) async fn carrier(&self, stream: TcpStream) -> io::Result<BoxedIo> {
        if self.stack != Stack::WsNoise {
            return Ok(Box::new(stream));
        }
        let local = stream.local_addr()?;
        let to = WsAddr::read(&self.place.addr).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let transport = WebSocketTransport::new();
        let dialling = timeout(PATIENCE, transport.dial_over(stream, local, &to));
        Ok(dialling.await?.map_err(io::Error::other)?.io)
    }

    /// The name of the stack's security protocol.
    pub(super) fn security(&self) -> ProtocolId {
        match self.stack {
            Stack::TcpTls => sinew_tls::PROTOCOL,
            _ => sinew_noise::PROTOCOL,
        }
    }

    /// What the target waits in for the first message of the handshake.
    pub(super) async fn before_security(&self, stream: TcpStream) -> io::Result<BoxedIo> {
        let mut io = self.carrier(stream).await?;
        let agreed = select(&mut io, vec![self.security()], PATIENCE).await;
        agreed.map_err(io::Error::other)?;
        Ok(io)
    }

    /// A secure channel of a fresh identity.
    pub(super) async fn secure(&self, stream: TcpStream, muxer: Muxer) -> io::Result<BoxedIo> {
        self.secure_as(&Keypair::generate(), stream, muxer).await
    }

    /// A secure channel of one identity.
    pub(super) async fn secure_as(
        &self,
        key: &Keypair,
        stream: TcpStream,
        muxer: Muxer,
    ) -> io::Result<BoxedIo> {
        let io = self.before_security(stream).await?;
        let name = match self.stack {
            Stack::TcpNoiseMplex => sinew_mplex::PROTOCOL,
            _ => sinew_yamux::PROTOCOL,
        };
        let offer = match muxer {
            Muxer::Agreed => vec![name.clone()],
            Muxer::Never => Vec::new(),
        };
        let security: Box<dyn SecureUpgrade> = match self.stack {
            Stack::TcpTls => Box::new(Tls::new(key).map_err(io::Error::other)?),
            _ => Box::new(Noise::new(key).map_err(io::Error::other)?),
        };
        let securing = security.secure(io, SecureRequest::new(Role::Dialer, None, offer));
        let mut secured = timeout(PATIENCE, securing).await?.map_err(io::Error::other)?;
        if muxer == Muxer::Agreed && secured.muxer.is_none() {
            let agreed = select(&mut secured.io, vec![name], PATIENCE).await;
            agreed.map_err(io::Error::other)?;
        }
        Ok(secured.io)
    }

    /// A channel that is ready for frames.
    pub(super) async fn open(&self, number: usize) -> io::Result<BoxedIo> {
        self.secure(self.connect(number).await?, Muxer::Agreed).await
    }

    /// Whether frames are mplex's and not yamux's.
    pub(super) fn is_mplex(&self) -> bool {
        self.stack == Stack::TcpNoiseMplex
    }
}
