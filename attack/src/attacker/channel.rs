//! Connections of the attacker: sockets from an address of choice, and Noise channels on them.

use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade};
use sinew_identity::Keypair;
use sinew_multistream::select;
use sinew_noise::Noise;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
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

/// Connects from an address.
pub(super) async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.into(), 0))?;
    let stream = timeout(PATIENCE, socket.connect(to)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A Noise channel of a fresh identity.
pub(super) async fn secure(stream: TcpStream, muxer: Muxer) -> io::Result<BoxedIo> {
    secure_as(&Keypair::generate(), stream, muxer).await
}

/// A Noise channel of one identity.
pub(super) async fn secure_as(key: &Keypair, stream: TcpStream, muxer: Muxer) -> io::Result<BoxedIo> {
    let mut io: BoxedIo = Box::new(stream);
    let noise = Noise::new(key).map_err(io::Error::other)?;
    let agreed = select(&mut io, vec![noise.protocol()], PATIENCE).await;
    agreed.map_err(io::Error::other)?;
    let offer = match muxer {
        Muxer::Agreed => vec![sinew_yamux::PROTOCOL],
        Muxer::Never => Vec::new(),
    };
    let securing = noise.secure(io, SecureRequest::new(Role::Dialer, None, offer));
    let mut secured = timeout(PATIENCE, securing).await?.map_err(io::Error::other)?;
    if muxer == Muxer::Agreed && secured.muxer.is_none() {
        let agreed = select(&mut secured.io, vec![sinew_yamux::PROTOCOL], PATIENCE).await;
        agreed.map_err(io::Error::other)?;
    }
    Ok(secured.io)
}

/// A channel that is ready for frames.
pub(super) async fn open(from: Ipv4Addr, to: SocketAddr) -> io::Result<BoxedIo> {
    secure(connect(from, to).await?, Muxer::Agreed).await
}
