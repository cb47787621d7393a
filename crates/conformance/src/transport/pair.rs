//! Connections between a dialler and a listener of the transport under test.

use std::{future::poll_fn, sync::Arc};

use sinew_core::{
    DialRequest, Incoming, Link, Listener, ListenerEvent, Multiaddr, Purpose, RawConnection, ResourceScope,
    SecureConnection, TransportError, Unlimited,
};
use sinew_identity::PeerId;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Subject;
use crate::{
    fault::{Check, During, Fault},
    pattern::{receive_to_end, send_and_finish},
};

/// Bytes of a question.
const LENGTH: usize = 1000;

/// What a transport yields: raw bytes, or a connection with security and streams of its own.
pub(super) trait Connected: Sized {
    /// Whether a dial is done only once the listener's end is finished, whichever transport it is.
    const HANDSHAKE: bool;

    /// A link, if it is of this kind.
    fn of(link: Link) -> Option<Self>;

    /// The local and the remote address.
    fn addrs(&self) -> (&Multiaddr, &Multiaddr);

    /// Sends a question, and gets it back.
    async fn ask(&mut self, seed: u64) -> Check;

    /// Gets the question, and sends it back.
    async fn answer(&mut self, seed: u64) -> Check;
}

impl Connected for RawConnection {
    const HANDSHAKE: bool = false;

    fn of(link: Link) -> Option<Self> {
        match link {
            Link::Raw(raw) => Some(raw),
            _ => None,
        }
    }

    fn addrs(&self) -> (&Multiaddr, &Multiaddr) {
        (&self.local, &self.remote)
    }

    async fn ask(&mut self, seed: u64) -> Check {
        ask(&mut self.io, seed).await
    }

    async fn answer(&mut self, seed: u64) -> Check {
        answer(&mut self.io, seed).await
    }
}

impl Connected for SecureConnection {
    const HANDSHAKE: bool = true;

    fn of(link: Link) -> Option<Self> {
        match link {
            Link::Secure(secure) => Some(secure),
            _ => None,
        }
    }

    fn addrs(&self) -> (&Multiaddr, &Multiaddr) {
        (&self.local, &self.remote)
    }

    async fn ask(&mut self, seed: u64) -> Check {
        let mut stream = self.muxed.handle.open().await.during("opening")?;
        ask(&mut stream, seed).await
    }

    async fn answer(&mut self, seed: u64) -> Check {
        let accepted = poll_fn(|cx| self.muxed.accept.poll_accept(cx)).await;
        answer(&mut accepted.during("accepting a stream")?, seed).await
    }
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), seed: u64) -> Check {
    send_and_finish(stream, seed, LENGTH).await?;
    receive_to_end(stream, seed, LENGTH).await
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), seed: u64) -> Check {
    receive_to_end(stream, seed, LENGTH).await?;
    send_and_finish(stream, seed, LENGTH).await
}

/// The first asks, the second answers.
pub(super) async fn talk<C: Connected>(first: &mut C, second: &mut C, seed: u64) -> Check {
    tokio::try_join!(first.ask(seed), second.answer(seed))?;
    Ok(())
}

/// A dial of a peer, or of anybody.
pub(super) fn request(expected: Option<PeerId>, purpose: Purpose) -> DialRequest {
    DialRequest::new(expected, purpose, Arc::new(Unlimited))
}

impl Subject {
    /// Listens, and says where.
    pub(super) async fn listener(&self) -> Result<(Box<dyn Listener>, Multiaddr), Fault> {
        let listener = self.transport.listen(&self.listen).await.during("listening")?;
        let addr = listener.addresses().into_iter().next();
        let addr = addr.ok_or_else(|| Fault::new("a listener has no address"))?;
        Ok((listener, addr))
    }

    /// Dials anybody for ordinary use.
    pub(super) async fn dial<C: Connected>(&self, addr: &Multiaddr) -> Result<C, TransportError> {
        self.dial_with(addr, request(None, Purpose::Use)).await
    }

    pub(super) async fn dial_with<C: Connected>(
        &self,
        addr: &Multiaddr,
        request: DialRequest,
    ) -> Result<C, TransportError> {
        let link = self.transport.dial(addr, request).await?;
        C::of(link).ok_or_else(|| TransportError::Unsupported(addr.clone()))
    }

    /// A secure connection as both ends hold it, the dialler's first. It outlives its listener.
    pub(crate) async fn connected<S: ResourceScope>(
        &self,
        [dialer, listener]: [Arc<S>; 2],
    ) -> Result<(SecureConnection, SecureConnection), Fault> {
        let (mut listening, addr) = self.listener().await?;
        let request = DialRequest::new(None, Purpose::Use, dialer);
        let accepting = async { finish(incoming(&mut *listening).await?, listener).await };
        self.meet(&addr, request, accepting).await
    }

    /// A raw connection as both ends hold it, the dialler's first.
    pub(super) async fn connection(&self) -> Result<(RawConnection, RawConnection), Fault> {
        let (mut listener, addr) = self.listener().await?;
        self.join(&addr, &mut *listener).await
    }

    /// One more connection to a listener as both ends hold it, the dialler's first.
    pub(super) async fn join<C: Connected>(
        &self,
        addr: &Multiaddr,
        listener: &mut dyn Listener,
    ) -> Result<(C, C), Fault> {
        self.meet(addr, request(None, Purpose::Use), accept(listener))
            .await
    }

    /// Dials while the other end is `accepting`. Without a handshake the dial is done first.
    pub(super) async fn meet<C: Connected, T>(
        &self,
        addr: &Multiaddr,
        request: DialRequest,
        accepting: impl Future<Output = Result<T, Fault>>,
    ) -> Result<(C, T), Fault> {
        let dialling = async { self.dial_with(addr, request).await.during("dialling") };
        if self.has_handshake::<C>() {
            return tokio::try_join!(dialling, accepting);
        }
        Ok((dialling.await?, accepting.await?))
    }

    /// Whether a dial waits for the listener's part of a handshake.
    pub(super) fn has_handshake<C: Connected>(&self) -> bool {
        C::HANDSHAKE || self.handshake
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
pub(super) async fn accept<C: Connected>(listener: &mut dyn Listener) -> Result<C, Fault> {
    finish(incoming(listener).await?, Arc::new(Unlimited)).await
}

/// Finishes an accepted connection.
pub(super) async fn finish<C: Connected>(
    incoming: Box<dyn Incoming>,
    scope: Arc<dyn ResourceScope>,
) -> Result<C, Fault> {
    let link = incoming.finish(scope).await.during("finishing")?;
    C::of(link).ok_or_else(|| Fault::new("the suite is for transports of another kind"))
}
