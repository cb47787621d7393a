//! Connections between a dialler and a listener of the transport under test.

use std::sync::Arc;

use sinew_core::{
    DialRequest, Incoming, Link, Listener, ListenerEvent, Multiaddr, Purpose, RawConnection, ResourceScope,
    SecureConnection, TransportError, Unlimited,
};

use super::Subject;
use crate::fault::{During, Fault};

impl Subject {
    /// Listens, and says where.
    pub(super) async fn listener(&self) -> Result<(Box<dyn Listener>, Multiaddr), Fault> {
        let listener = self.transport.listen(&self.listen).await.during("listening")?;
        let addr = listener.addresses().into_iter().next();
        let addr = addr.ok_or_else(|| Fault::new("a listener has no address"))?;
        Ok((listener, addr))
    }

    /// Dials for ordinary use.
    pub(super) async fn dial(&self, addr: &Multiaddr) -> Result<RawConnection, TransportError> {
        self.dial_for(addr, Purpose::Use).await
    }

    pub(super) async fn dial_for(
        &self,
        addr: &Multiaddr,
        purpose: Purpose,
    ) -> Result<RawConnection, TransportError> {
        let request = DialRequest::new(None, purpose, Arc::new(Unlimited));
        match self.transport.dial(addr, request).await? {
            Link::Raw(raw) => Ok(raw),
            _ => Err(TransportError::Unsupported(addr.clone())),
        }
    }

    /// Dials a transport that brings its own security and streams.
    pub(super) async fn dial_secure(
        &self,
        addr: &Multiaddr,
        request: DialRequest,
    ) -> Result<SecureConnection, TransportError> {
        match self.transport.dial(addr, request).await? {
            Link::Secure(secure) => Ok(secure),
            _ => Err(TransportError::Unsupported(addr.clone())),
        }
    }

    /// A secure connection as both ends hold it, the dialler's first. It outlives its listener.
    pub(crate) async fn connected<S: ResourceScope>(
        &self,
        [dialer, listener]: [Arc<S>; 2],
    ) -> Result<(SecureConnection, SecureConnection), Fault> {
        let (mut listening, addr) = self.listener().await?;
        let request = DialRequest::new(None, Purpose::Use, dialer);
        tokio::try_join!(
            async { self.dial_secure(&addr, request).await.during("dialling") },
            async { finish_secure(incoming(&mut *listening).await?, listener).await },
        )
    }

    /// A connection as both ends hold it, the dialler's first.
    pub(super) async fn connection(&self) -> Result<(RawConnection, RawConnection), Fault> {
        let (mut listener, addr) = self.listener().await?;
        self.meet(&addr, Purpose::Use, accept(&mut *listener)).await
    }

    /// Dials while the other end is `accepting`. Without a handshake the dial is done first.
    pub(super) async fn meet<T>(
        &self,
        addr: &Multiaddr,
        purpose: Purpose,
        accepting: impl Future<Output = Result<T, Fault>>,
    ) -> Result<(RawConnection, T), Fault> {
        let dialling = async { self.dial_for(addr, purpose).await.during("dialling") };
        if self.handshake {
            return tokio::try_join!(dialling, accepting);
        }
        Ok((dialling.await?, accepting.await?))
    }
}

/// The next connection, whatever else happens before it.
pub(super) async fn incoming(listener: &mut dyn Listener) -> Result<Box<dyn Incoming>, Fault> {
    loop {
        match listener.next().await {
            ListenerEvent::Incoming(incoming) => return Ok(incoming),
            ListenerEvent::Closed(error) | ListenerEvent::Failed(error) => {
                return Err(Fault::from(error)).during("accepting");
            }
            _ => {}
        }
    }
}

/// The next connection, finished.
pub(super) async fn accept(listener: &mut dyn Listener) -> Result<RawConnection, Fault> {
    finish(incoming(listener).await?).await
}

/// Finishes an accepted connection.
pub(super) async fn finish(incoming: Box<dyn Incoming>) -> Result<RawConnection, Fault> {
    match incoming.finish(Arc::new(Unlimited)).await.during("finishing")? {
        Link::Raw(raw) => Ok(raw),
        _ => Err(Fault::new("the suite is for transports of raw bytes")),
    }
}

/// Finishes an accepted connection of a transport that brings its own security and streams.
pub(super) async fn finish_secure(
    incoming: Box<dyn Incoming>,
    scope: Arc<dyn ResourceScope>,
) -> Result<SecureConnection, Fault> {
    match incoming.finish(scope).await.during("finishing")? {
        Link::Secure(secure) => Ok(secure),
        _ => Err(Fault::new(
            "the suite is for transports with streams of their own",
        )),
    }
}
