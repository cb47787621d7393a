//! The host: the handle by which applications, services and tests use a node.

use crate::{
    Bus, Connection, ConnectionInfo, DialError, DialOptions, DialReport, DialTarget, Event, Fact,
    HandlerError, HandlerOptions, Learned, ListenError, Membership, Observer, OpenError, OpenOptions,
    Peerstore, ProtocolMatch, Registration, Resources, Source, Stream, StreamHandler, Subscription, Tag,
};
use async_trait::async_trait;
use multiaddr::Multiaddr;
use sinew_identity::{PeerId, PublicKey, Signer};
use sinew_machine::{CloseCode, ConnectionId, ProtocolId};
use std::{fmt, sync::Arc, time::Duration};

/// What implements a [`Host`]; `sinew-host` does, and tests may.
#[async_trait]
pub trait HostBackend: Send + Sync + 'static {
    /// The node's key.
    fn signer(&self) -> &Arc<dyn Signer>;
    /// The events and facts of the node.
    fn bus(&self) -> &Bus;
    /// What is known of peers.
    fn peerstore(&self) -> &Arc<dyn Peerstore>;
    /// Listens on an address and gives the real ones.
    async fn listen(&self, addr: Multiaddr) -> Result<Vec<Multiaddr>, ListenError>;
    /// Stops a listener by the address it was opened with.
    fn stop_listening(&self, addr: &Multiaddr) -> bool;
    /// Registers a handler.
    fn register(&self, registration: Registration) -> Result<(), HandlerError>;
    /// Removes a handler by its name.
    fn unregister(&self, name: &ProtocolId) -> bool;
    /// Dials and reports.
    async fn dial(&self, target: DialTarget, options: DialOptions) -> DialReport;
    /// Opens a stream to a peer, over a connection that exists or a new one.
    async fn open(
        &self,
        peer: PeerId,
        protocols: Vec<ProtocolId>,
        options: OpenOptions,
    ) -> Result<Stream, OpenError>;
    /// All connections.
    fn connections(&self) -> Vec<Arc<ConnectionInfo>>;
    /// The connection to use for a peer, if there is one.
    fn connection(&self, peer: &PeerId) -> Option<Connection>;
    /// One connection of a peer by its id, while it is established.
    fn connection_by_id(&self, peer: &PeerId, id: ConnectionId) -> Option<Connection>;
    /// Closes all connections to a peer.
    fn disconnect(&self, peer: &PeerId, code: CloseCode) -> usize;
    /// Keeps the connections to a peer from being closed for being idle or to make room, for as long as a tag is set.
    fn protect(&self, peer: &PeerId, tag: &'static str, on: bool);
    /// Changes the value of a tag of a peer; `change` is called once.
    fn tag(&self, peer: &PeerId, tag: Tag, change: &mut dyn FnMut(i32) -> i32);
    /// Takes a tag away from a peer.
    fn untag(&self, peer: &PeerId, name: &str);
    /// What the tags of a peer add up to.
    fn worth(&self, peer: &PeerId) -> i64;
    /// Closes connections down to the low watermark, and says how many.
    fn trim(&self) -> usize;
    /// Takes note of whether something that was tried on a connection came to nothing.
    fn doubt(&self, peer: &PeerId, id: ConnectionId, doubtful: bool);
    /// Follows who is connected.
    fn membership(&self) -> Membership;
    /// Takes in what a service found out about a peer.
    fn learn(&self, peer: &PeerId, learned: Learned, source: Source);
    /// Takes in whether an address of this node was reached when others dialled it.
    fn judge_addr(&self, addr: Multiaddr, reachable: bool);
    /// What the node uses of its limits, and what they refused.
    fn resources(&self) -> Resources;
    /// Ends the node.
    async fn shutdown(&self, grace: Duration);
}

/// A node: listens, dials, opens streams and serves those of others. Cheap to clone; all clones are the same node.
#[derive(Clone)]
pub struct Host {
    backend: Arc<dyn HostBackend>,
}

impl Host {
    /// Wraps what implements it.
    #[must_use]
    pub fn new(backend: Arc<dyn HostBackend>) -> Self {
        Self { backend }
    }

    /// Who this node is.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.public_key().peer_id()
    }

    /// The public key of this node.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.backend.signer().public()
    }

    /// What signs for this node.
    #[must_use]
    pub fn signer(&self) -> &Arc<dyn Signer> {
        self.backend.signer()
    }

    /// What is known of peers.
    #[must_use]
    pub fn peerstore(&self) -> &Arc<dyn Peerstore> {
        self.backend.peerstore()
    }

    /// Listens on `addr` and returns the real addresses: port 0 becomes a port, an unspecified address becomes
    /// one for each interface. Later changes of interfaces are followed.
    ///
    /// # Errors
    /// [`ListenError`] when no transport takes the address, or the system refuses it.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the listener open; [`Host::stop_listening`] closes it.
    pub async fn listen(&self, addr: impl Into<Multiaddr> + Send) -> Result<Vec<Multiaddr>, ListenError> {
        self.backend.listen(addr.into()).await
    }

    /// Stops the listener that was opened with `addr`; `false` if there is none. Connections stay.
    #[must_use]
    pub fn stop_listening(&self, addr: &Multiaddr) -> bool {
        self.backend.stop_listening(addr)
    }

    /// The addresses that the node listens on now, one for each interface.
    #[must_use]
    pub fn listen_addrs(&self) -> Vec<Multiaddr> {
        self.observe::<crate::ListenAddrs>().now().0.to_vec()
    }

    /// Serves a protocol with `handler`, with the default limits.
    ///
    /// # Errors
    /// [`HandlerError`] when the name is taken or cannot be negotiated.
    pub fn set_stream_handler(
        &self,
        protocol: impl Into<ProtocolMatch>,
        handler: impl StreamHandler,
    ) -> Result<(), HandlerError> {
        self.set_stream_handler_with(protocol, HandlerOptions::default(), handler)
    }

    /// Serves a protocol with `handler` and limits.
    ///
    /// # Errors
    /// [`HandlerError`] when the name is taken or cannot be negotiated.
    pub fn set_stream_handler_with(
        &self,
        protocol: impl Into<ProtocolMatch>,
        options: HandlerOptions,
        handler: impl StreamHandler,
    ) -> Result<(), HandlerError> {
        let handler = Arc::new(handler);
        self.backend.register(Registration {
            protocol: protocol.into(),
            options,
            handler,
        })
    }

    /// Serves every protocol that `matches` takes. It is announced and removed as `name`.
    ///
    /// # Errors
    /// [`HandlerError`] when the name is taken or cannot be negotiated.
    pub fn set_stream_handler_match(
        &self,
        name: impl Into<ProtocolId>,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
        handler: impl StreamHandler,
    ) -> Result<(), HandlerError> {
        let protocol = ProtocolMatch::Function {
            name: name.into(),
            matches: Arc::new(matches),
        };
        self.set_stream_handler(protocol, handler)
    }

    /// Stops serving the protocol that was registered as `name`; `false` if there is none. Streams go on.
    pub fn remove_stream_handler(&self, name: impl Into<ProtocolId>) -> bool {
        self.backend.unregister(&name.into())
    }

    /// Opens a stream to `peer` and offers `protocols` in order: over a connection that exists, else over a new
    /// one to an address of the peerstore.
    ///
    /// # Errors
    /// [`OpenError`]. A single protocol that the peer does not speak shows at the first read, unless
    /// [`OpenOptions::eager`] is set.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream; a dial that others wait for goes on.
    pub async fn new_stream<P: Into<ProtocolId>>(
        &self,
        peer: &PeerId,
        protocols: impl IntoIterator<Item = P>,
    ) -> Result<Stream, OpenError> {
        self.new_stream_with(peer, protocols, OpenOptions::default())
            .await
    }

    /// As [`Host::new_stream`], with options.
    ///
    /// # Errors
    /// As [`Host::new_stream`].
    ///
    /// # Cancel safety
    /// As [`Host::new_stream`].
    pub async fn new_stream_with<P: Into<ProtocolId>>(
        &self,
        peer: &PeerId,
        protocols: impl IntoIterator<Item = P>,
        options: OpenOptions,
    ) -> Result<Stream, OpenError> {
        let protocols = protocols.into_iter().map(Into::into).collect();
        self.backend.open(*peer, protocols, options).await
    }

    /// Connects to a peer or an address and gives the connection, which can be used alone and stays open as long
    /// as the handle is kept.
    ///
    /// # Errors
    /// [`DialError`], with every address that was tried and its own cause.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the dial, unless somebody else waits for the same one.
    pub async fn dial(
        &self,
        target: impl Into<DialTarget> + Send,
        options: DialOptions,
    ) -> Result<Connection, DialError> {
        self.backend.dial(target.into(), options).await.outcome
    }

    /// Makes sure that there is a connection to a peer or an address, and says who is there.
    ///
    /// # Errors
    /// As [`Host::dial`].
    ///
    /// # Cancel safety
    /// As [`Host::dial`].
    pub async fn connect(&self, target: impl Into<DialTarget> + Send) -> Result<PeerId, DialError> {
        self.dial(target, DialOptions::default())
            .await
            .map(|connection| connection.peer())
    }

    /// Dials as [`Host::dial`] does and reports every address: when it was started, how long it took, what became
    /// of it.
    ///
    /// # Cancel safety
    /// As [`Host::dial`].
    pub async fn explain(&self, target: impl Into<DialTarget> + Send, options: DialOptions) -> DialReport {
        self.backend.dial(target.into(), options).await
    }

    /// Closes all connections to `peer` and says how many there were.
    pub fn disconnect(&self, peer: &PeerId) -> usize {
        self.backend.disconnect(peer, CloseCode::NONE)
    }

    /// Closes all connections to `peer` with a code and says how many there were.
    pub fn disconnect_with(&self, peer: &PeerId, code: CloseCode) -> usize {
        self.backend.disconnect(peer, code)
    }

    /// The connected peers, in order.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerId> {
        let mut peers: Vec<_> = self
            .connections()
            .iter()
            .map(|connection| connection.peer)
            .collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// All connections, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<ConnectionInfo>> {
        self.backend.connections()
    }

    /// The connection that new streams to `peer` use, if there is one.
    #[must_use]
    pub fn connection(&self, peer: &PeerId) -> Option<Connection> {
        self.backend.connection(peer)
    }

    /// One connection of `peer` by its id, for what belongs to that very connection; `None` once it has ended.
    #[must_use]
    pub fn connection_by_id(&self, peer: &PeerId, id: ConnectionId) -> Option<Connection> {
        self.backend.connection_by_id(peer, id)
    }

    /// Keeps the connections to `peer` from being closed for being idle or to make room, until
    /// [`Host::unprotect`] takes back every tag.
    pub fn protect(&self, peer: &PeerId, tag: &'static str) {
        self.backend.protect(peer, tag, true);
    }

    /// Takes back a tag of [`Host::protect`].
    pub fn unprotect(&self, peer: &PeerId, tag: &'static str) {
        self.backend.protect(peer, tag, false);
    }

    /// Sets what a peer is worth for one reason. When connections have to be closed, those to the peers that are worth
    /// least go first; one to a peer that is worth more than nothing does not make room for newcomers. Tags of
    /// peers that are not connected are kept too, in a bounded table.
    pub fn tag_peer(&self, peer: &PeerId, tag: impl Into<Tag>, value: i32) {
        self.backend.tag(peer, tag.into(), &mut |_| value);
    }

    /// Changes what a peer is worth for one reason, from zero if it has no such tag: `|value| value + 5`, say.
    pub fn upsert_tag(&self, peer: &PeerId, tag: impl Into<Tag>, mut change: impl FnMut(i32) -> i32) {
        self.backend.tag(peer, tag.into(), &mut change);
    }

    /// Takes away a reason to keep the connections to a peer.
    pub fn untag_peer(&self, peer: &PeerId, name: &str) {
        self.backend.untag(peer, name);
    }

    /// What the tags of a peer add up to now.
    #[must_use]
    pub fn peer_worth(&self, peer: &PeerId) -> i64 {
        self.backend.worth(peer)
    }

    /// Closes the connections that are worth least until no more than the low watermark are left, and says how many. It
    /// happens by itself when there are more than the high watermark.
    pub fn trim(&self) -> usize {
        self.backend.trim()
    }

    /// Takes note that something that was tried on a connection came to nothing (`true`: a ping without an answer,
    /// say), or that it worked. While the last word is that it did not, new streams to the peer take another
    /// connection if there is one. A stream that the peer opens, answers or leaves unanswered is such a word too.
    pub fn doubt(&self, peer: &PeerId, id: ConnectionId, doubtful: bool) {
        self.backend.doubt(peer, id, doubtful);
    }

    /// Receives every event of type `E` from now on: [`crate::ConnectionEvent`], [`crate::StreamEvent`],
    /// [`crate::ListenEvent`], and those of services.
    #[must_use]
    pub fn subscribe<E: Event>(&self) -> Subscription<E> {
        self.backend.bus().subscribe()
    }

    /// Follows the newest value of the fact `F`: [`crate::ListenAddrs`], [`crate::HandledProtocols`],
    /// [`crate::ObservedAddrs`], [`crate::ConfirmedAddrs`], [`crate::AnnouncedAddrs`], and those of services.
    #[must_use]
    pub fn observe<F: Fact>(&self) -> Observer<F> {
        self.backend.bus().observe()
    }

    /// The events and facts of the node, for services that have news of their own.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        self.backend.bus()
    }

    /// Follows who is connected, one snapshot a peer.
    #[must_use]
    pub fn membership(&self) -> Membership {
        self.backend.membership()
    }

    /// Takes in what a service found out about `peer`. Bounded per peer.
    pub fn learn(&self, peer: &PeerId, learned: Learned, source: Source) {
        self.backend.learn(peer, learned, source);
    }

    /// Takes in whether `addr` of this node was reached when others dialled it, as AutoNAT finds out. It overrules what
    /// observers say, until the next verdict on the address.
    pub fn judge_addr(&self, addr: impl Into<Multiaddr>, reachable: bool) {
        self.backend.judge_addr(addr.into(), reachable);
    }

    /// What the node uses of its limits, and what they refused since it started.
    #[must_use]
    pub fn resources(&self) -> Resources {
        self.backend.resources()
    }

    /// Events that slow [subscribers](Host::subscribe) have lost since the node started.
    #[must_use]
    pub fn events_dropped(&self) -> u64 {
        self.backend.bus().dropped()
    }

    /// Ends the node: listeners stop, services say goodbye, streams get until the end of `grace`, connections close
    /// with a code, and no task is left.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the node half ended; call it again to finish.
    pub async fn shutdown(&self, grace: Duration) {
        self.backend.shutdown(grace).await;
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.peer_id()).finish()
    }
}
