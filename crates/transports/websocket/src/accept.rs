//! The listening end: what becomes of accepted connections.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use rustls::ServerConfig;
use sinew_addr::Multiaddr;
use sinew_core::{ByteStream, Link, RawConnection, Role, TransportError};
use sinew_runtime::WriteDeadline;
use sinew_socket::{Accept, Accepted, Start};
use tokio_rustls::TlsAcceptor;

use crate::{
    Certificate, HandshakeError, Security, WsAddr, http, tls,
    transport::{WS, WSS, link},
};

/// A form of address that is listened on.
#[derive(Debug)]
pub(crate) struct Listening {
    addr: WsAddr,
    tls: Option<Arc<ServerConfig>>,
}

impl Listening {
    /// # Errors
    /// [`HandshakeError::NoCertificate`] if the form needs one.
    pub(crate) fn new(addr: WsAddr, certificate: Option<&Certificate>) -> Result<Self, HandshakeError> {
        let tls = match (&addr.security, certificate) {
            (Security::Plain, _) => None,
            (Security::Tls(_), Some(certificate)) => Some(tls::server(certificate.clone())),
            (Security::Tls(_), None) => return Err(HandshakeError::NoCertificate),
        };
        Ok(Self { addr, tls })
    }

    /// Makes a WebSocket of what was accepted.
    pub(crate) async fn finish_over(
        &self,
        mut io: impl ByteStream,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<RawConnection, HandshakeError> {
        let ends = (self.local(local), self.remote(remote));
        let path = self.addr.path.as_deref();
        let Some(config) = &self.tls else {
            let ahead = http::answer(&mut io, path).await?;
            return Ok(link(io, ahead, Role::Listener, ends).over(WS));
        };
        let accepting = TlsAcceptor::from(config.clone()).accept(io);
        let mut io = accepting.await.map_err(HandshakeError::of_tls)?;
        let ahead = http::answer(&mut io, path).await?;
        Ok(link(io, ahead, Role::Listener, ends).over(WSS))
    }
}

#[async_trait]
impl Accept for Listening {
    fn start(&self) -> Start {
        match self.tls {
            Some(_) => Start::Tls,
            None => Start::Http,
        }
    }

    fn local(&self, addr: SocketAddr) -> Multiaddr {
        self.addr.at(addr)
    }

    fn remote(&self, addr: SocketAddr) -> Multiaddr {
        self.addr.end_at(addr)
    }

    async fn finish(&self, accepted: Accepted) -> Result<Link, TransportError> {
        let Accepted {
            stream,
            local,
            remote,
        } = accepted;
        Ok(Link::Raw(
            self.finish_over(WriteDeadline::new(stream), local, remote)
                .await?,
        ))
    }
}
