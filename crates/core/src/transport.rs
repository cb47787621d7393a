//! Transports: how bytes reach another node.

use crate::{BoxedIo, Muxed, Purpose, ResourceScope, TransportError};
use async_trait::async_trait;
use multiaddr::Multiaddr;
use sinew_identity::{PeerId, PublicKey};
use std::{fmt, sync::Arc};

/// A way to reach and be reached: TCP, QUIC, memory.
///
/// A transport knows addresses of its own kind only. Names are resolved before it is asked, and whom to dial is
/// decided by the host. Writes to a raw connection fail once none of their bytes were taken for a while
/// (`WriteDeadline` of sinew-runtime does that): what lies above gathers bytes and cannot tell a slow link from a dead one.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// A short name for logs and metrics, `tcp` for instance.
    fn name(&self) -> &'static str;

    /// Whether this transport can dial or listen on `addr`. A `/p2p/<peer>` at the end does not matter.
    fn handles(&self, addr: &Multiaddr) -> bool;

    /// File descriptors that one connection takes: one unless told, none where connections share a socket.
    fn descriptors(&self) -> u64 {
        1
    }

    /// Whether its connections come with security and streams of their own ([`Link::Secure`]). Such a transport cannot be
    /// wrapped in the key of a private network.
    fn is_secure(&self) -> bool {
        false
    }

    /// Connects to `addr`.
    ///
    /// # Errors
    /// [`TransportError`] with the cause. The caller sets the deadline by dropping the future.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the attempt and frees its socket.
    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError>;

    /// Starts to listen on `addr`.
    ///
    /// # Errors
    /// [`TransportError`] when the address is of another kind, taken, or not of this machine.
    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError>;
}

/// What a dial is for and who pays for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DialRequest {
    /// The peer expected at the address, for transports that check it inside their handshake.
    pub expected: Option<PeerId>,
    /// What the connection is for; decides whether the local port is shared.
    pub purpose: Purpose,
    /// What a connection with a muxer of its own charges.
    pub scope: Arc<dyn ResourceScope>,
}

impl DialRequest {
    /// A dial for ordinary use.
    #[must_use]
    pub fn new(expected: Option<PeerId>, purpose: Purpose, scope: Arc<dyn ResourceScope>) -> Self {
        Self {
            expected,
            purpose,
            scope,
        }
    }
}

/// A listener of a transport. The host has one task for each.
#[async_trait]
pub trait Listener: Send + 'static {
    /// The addresses that it can be reached at now, one for each interface where it listens on all of them.
    fn addresses(&self) -> Vec<Multiaddr>;

    /// Waits for what happens next. After [`ListenerEvent::Closed`] it is not called again.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    async fn next(&mut self) -> ListenerEvent;
}

/// What happens at a listener. Closing it is dropping it.
#[non_exhaustive]
pub enum ListenerEvent {
    /// Somebody wants in.
    Incoming(Box<dyn Incoming>),
    /// It can be reached at one more address.
    AddressAdded(Multiaddr),
    /// It can no longer be reached at an address.
    AddressRemoved(Multiaddr),
    /// Accepting failed once (too many open files, say); it goes on.
    Failed(TransportError),
    /// It accepts no more.
    Closed(TransportError),
}

/// A connection that was accepted and is not finished: accepting never waits for a handshake.
#[async_trait]
pub trait Incoming: Send + 'static {
    /// Our address.
    fn local(&self) -> &Multiaddr;

    /// The remote's address.
    fn remote(&self) -> &Multiaddr;

    /// Whether the remote is known to receive what is sent to its address. A transport whose first packet may come
    /// from a forged address (QUIC) says `false`, and can then be asked for [`Refusal::Retry`].
    fn is_validated(&self) -> bool {
        true
    }

    /// Completes what the transport itself must do (nothing for TCP, the handshake for QUIC).
    ///
    /// # Errors
    /// [`TransportError`] with the cause.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    async fn finish(self: Box<Self>, scope: Arc<dyn ResourceScope>) -> Result<Link, TransportError>;

    /// Turns the connection away before anything was paid for it.
    fn refuse(self: Box<Self>, how: Refusal);
}

/// How an incoming connection is turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// Say so (TCP: close).
    Reject,
    /// Say nothing, where the transport allows it.
    Ignore,
    /// Ask the remote to come again and to prove with it that it receives at its address (QUIC). Nothing is kept
    /// of it meanwhile. Only for a connection that is not [validated](Incoming::is_validated).
    Retry,
}

/// What a transport yields.
#[non_exhaustive]
pub enum Link {
    /// Bytes that still need security and a muxer.
    Raw(RawConnection),
    /// A finished connection (QUIC, WebRTC, WebTransport).
    Secure(SecureConnection),
}

/// Plain bytes between two addresses.
#[non_exhaustive]
pub struct RawConnection {
    /// The bytes.
    pub io: BoxedIo,
    /// Our address.
    pub local: Multiaddr,
    /// The remote's address.
    pub remote: Multiaddr,
    /// The form of the transport that it is (`ws` or `wss`), where one listener serves several; else the name of the
    /// [`Transport`] stands.
    pub transport: Option<&'static str>,
    /// Whether it runs through a relay that limits time and bytes.
    pub limited: bool,
}

/// A connection whose transport has security and streams of its own.
#[non_exhaustive]
pub struct SecureConnection {
    /// Its streams.
    pub muxed: Muxed,
    /// Who is at the other end.
    pub peer: PeerId,
    /// The key that proves it.
    pub key: PublicKey,
    /// Our address.
    pub local: Multiaddr,
    /// The remote's address.
    pub remote: Multiaddr,
    /// Whether it runs through a relay that limits time and bytes.
    pub limited: bool,
}

impl RawConnection {
    /// Plain bytes between two addresses.
    #[must_use]
    pub fn new(io: BoxedIo, local: Multiaddr, remote: Multiaddr) -> Self {
        let transport = None;
        Self {
            io,
            local,
            remote,
            transport,
            limited: false,
        }
    }

    /// Names the form of the transport that the connection is.
    #[must_use]
    pub fn over(mut self, transport: &'static str) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sets [`RawConnection::limited`].
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }
}

impl SecureConnection {
    /// A finished connection to the peer that `key` belongs to.
    #[must_use]
    pub fn new(muxed: Muxed, key: PublicKey, local: Multiaddr, remote: Multiaddr) -> Self {
        let peer = key.peer_id();
        Self {
            muxed,
            peer,
            key,
            local,
            remote,
            limited: false,
        }
    }

    /// Sets [`SecureConnection::limited`].
    #[must_use]
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }
}

impl fmt::Debug for RawConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawConnection")
            .field("local", &self.local)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SecureConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureConnection")
            .field("peer", &self.peer)
            .field("local", &self.local)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(raw) => f.debug_tuple("Raw").field(raw).finish(),
            Self::Secure(secure) => f.debug_tuple("Secure").field(secure).finish(),
        }
    }
}
