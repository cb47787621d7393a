//! Who gets a place among the established connections, who makes room, and which of several connections is used.

use crate::rig::{ask, builder, echo, listening, started};
use async_trait::async_trait;
use sinew_core::{
    CloseReason, Connection, ConnectionEvent, DialOptions, DialRequest, HandlerOptions, Host, Incoming, Link,
    Listener, ListenerEvent, Multiaddr, OpenOptions, Purpose, RawConnection, Refusal, ResourceScope, Stream,
    Transport, TransportError, code,
};
use sinew_host::{HostBuilder, Limits, Timeouts};
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::now;
use sinew_yamux::Yamux;
use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A memory transport whose arrivals come from the addresses that a test says, through a relay if it says so.
#[derive(Clone, Default, Debug)]
pub(crate) struct Somewhere {
    inside: MemoryTransport,
    sources: Arc<Mutex<VecDeque<Multiaddr>>>,
    limited: bool,
}

impl Somewhere {
    pub(crate) fn next_is(&self, source: &str) {
        let source = source.parse().expect("an address");
        self.sources.lock().expect("one thread").push_back(source);
    }

    pub(crate) fn builder(&self) -> HostBuilder {
        let key = Keypair::generate();
        let plaintext = InsecurePlaintext::new(key.public());
        HostBuilder::new(Arc::new(key))
            .transport(self.clone())
            .security(plaintext)
            .muxer(Yamux::default())
    }
}

#[async_trait]
impl Transport for Somewhere {
    fn name(&self) -> &'static str {
        "somewhere"
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        self.inside.handles(addr)
    }

    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        self.inside.dial(addr, request).await
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let inside = self.inside.listen(addr).await?;
        let somewhere = self.clone();
        Ok(Box::new(Listening { inside, somewhere }))
    }
}

struct Listening {
    inside: Box<dyn Listener>,
    somewhere: Somewhere,
}

#[async_trait]
impl Listener for Listening {
    fn addresses(&self) -> Vec<Multiaddr> {
        self.inside.addresses()
    }

    async fn next(&mut self) -> ListenerEvent {
        match self.inside.next().await {
            ListenerEvent::Incoming(inside) => {
                let said = self.somewhere.sources.lock().expect("one thread").pop_front();
                let remote = said.unwrap_or_else(|| inside.remote().clone());
                let limited = self.somewhere.limited;
                ListenerEvent::Incoming(Box::new(Arriving {
                    inside,
                    remote,
                    limited,
                }))
            }
            other => other,
        }
    }
}

struct Arriving {
    inside: Box<dyn Incoming>,
    remote: Multiaddr,
    limited: bool,
}

#[async_trait]
impl Incoming for Arriving {
    fn local(&self) -> &Multiaddr {
        self.inside.local()
    }

    fn remote(&self) -> &Multiaddr {
        &self.remote
    }

    async fn finish(self: Box<Self>, scope: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        match self.inside.finish(scope).await? {
            Link::Raw(raw) => {
                let raw = RawConnection::new(raw.io, raw.local, self.remote);
                Ok(Link::Raw(if self.limited { raw.limited() } else { raw }))
            }
            other => Ok(other),
        }
    }

    fn refuse(self: Box<Self>, how: Refusal) {
        self.inside.refuse(how);
    }
}

/// A connection of a fresh identity.
pub(crate) async fn stranger(addr: &Multiaddr) -> (Host, Connection) {
    let host = started(builder()).await;
    let dialled = host.dial(addr.clone(), DialOptions::default()).await;
    (host, dialled.expect("gets in"))
}

/// Keeps the connection in use from both ends.
pub(crate) async fn in_use(connection: &Connection) -> Stream {
    let mut stream = connection.open(["/echo"]).await.expect("opens");
    stream.write_all(b"x").await.expect("sent");
    stream.read_exact(&mut [0]).await.expect("answers");
    stream
}

pub(crate) async fn made_room(connection: &Connection) -> bool {
    let closed = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
    closed.is_ok_and(|reason| {
        assert!(
            matches!(reason, CloseReason::Remote(code) if code == code::connection::GARBAGE_COLLECTED),
            "{reason}"
        );
        true
    })
}

#[tokio::test(start_paused = true)]
async fn while_4096_idle_strangers_hold_all_places_newcomers_get_in() {
    let somewhere = Somewhere::default();
    let (server, addr) = listening(somewhere.builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let mut strangers = Vec::new();
    for n in 0..Limits::default().inbound_connections {
        somewhere.next_is(&format!("/ip4/10.{}.{}.1/tcp/1", n / 256, n % 256));
        let (host, connection) = stranger(&addr).await;
        let stream = if n < 2 {
            Some(in_use(&connection).await)
        } else {
            None
        };
        strangers.push((host, connection, stream));
        // Each came later than the last.
        tokio::time::advance(Duration::from_micros(1)).await;
    }
    server.protect(&strangers[2].0.peer_id(), "test");
    assert_eq!(server.connections().len(), strangers.len());
    let begun = now();
    for _ in 0..3 {
        somewhere.next_is("/ip4/11.1.1.1/tcp/1");
        let (client, connection) = stranger(&addr).await;
        let stream = client
            .new_stream(&connection.peer(), ["/echo"])
            .await
            .expect("opens");
        assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
        client.shutdown(Duration::ZERO).await;
        assert!(
            now() - begun < Duration::from_secs(1),
            "without waiting for anybody"
        );
        while server.connections().len() == strangers.len() {
            tokio::task::yield_now().await;
        }
    }
    let mut gone = Vec::new();
    for (n, (_, connection, _)) in strangers.iter().enumerate().take(6) {
        if made_room(connection).await {
            gone.push(n);
        }
    }
    // A newcomer who left made room for the next: only one of them took a place from anybody.
    assert_eq!(gone, [3], "neither the two in use nor the protected one");
}

#[tokio::test(start_paused = true)]
async fn the_busiest_source_makes_room_and_the_refused_are_refused_before_any_handshake() {
    let somewhere = Somewhere::default();
    let mut limits = Limits::default();
    (limits.inbound_connections, limits.inbound_per_address) = (8, 4);
    let (server, addr) = listening(somewhere.builder().limits(limits)).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let mut poor = Vec::new();
    for n in 0..4 {
        somewhere.next_is(&format!("/ip4/9.9.{n}.9/tcp/1"));
        poor.push(stranger(&addr).await);
    }
    let mut busy = Vec::new();
    for n in 0..4 {
        somewhere.next_is(&format!("/ip4/1.2.3.4/tcp/{n}"));
        busy.push(stranger(&addr).await);
    }
    somewhere.next_is("/ip4/1.2.3.4/tcp/5");
    let (_fifth, used) = stranger(&addr).await;
    assert!(
        made_room(&busy[0].1).await,
        "an address that has its share gives up its own"
    );
    let mut streams = vec![in_use(&used).await];
    somewhere.next_is("/ip4/7.7.7.7/tcp/1");
    let (_newcomer, kept) = stranger(&addr).await;
    assert!(made_room(&busy[1].1).await, "the busiest source");
    for (_, connection) in poor.iter().chain(&busy[2..]) {
        streams.push(in_use(connection).await);
    }
    streams.push(in_use(&kept).await);
    let mut events = server.subscribe::<ConnectionEvent>();
    somewhere.next_is("/ip4/8.8.8.8/tcp/1");
    let last = started(builder()).await;
    last.connect(addr).await.expect_err("everybody is in use");
    let event = events.next().await.expect("not lagged").expect("alive");
    let ConnectionEvent::InboundFailed { error, .. } = event else {
        panic!("{event:?}")
    };
    assert!(error.to_string().contains("8 of 8 connections used"), "{error}");
    assert_eq!(server.connections().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_background_stream_keeps_nothing_open_and_no_place() {
    let mut limits = Limits::default();
    limits.inbound_connections = 1;
    let (server, addr) = listening(builder().limits(limits)).await;
    let options = HandlerOptions::default().background();
    let held = |stream: Stream| async move {
        pending::<()>().await;
        drop(stream);
    };
    server
        .set_stream_handler_with("/background", options, held)
        .expect("free");
    let (client, connection) = stranger(&addr).await;
    let options = OpenOptions::default().eager().background();
    let stream = connection.open_with(["/background"], options.clone()).await;
    let _stream = stream.expect("opens");
    let (_other, other) = stranger(&addr).await;
    assert!(made_room(&connection).await, "for a newcomer");
    drop(connection);
    assert!(client.connections().is_empty());
    let _stream = other.open_with(["/background"], options).await.expect("opens");
    let closed = tokio::time::timeout(Timeouts::default().idle * 2, other.closed()).await;
    let reason = closed.expect("it was idle");
    assert!(
        matches!(reason, CloseReason::Remote(code) if code == code::connection::GARBAGE_COLLECTED),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn of_several_connections_the_newest_healthy_one_is_used() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let punch = DialOptions::default().purpose(Purpose::Punch(sinew_core::Role::Dialer));
    let mut connections = Vec::new();
    for _ in 0..2 {
        connections.push(client.dial(addr.clone(), punch.clone()).await.expect("connects"));
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let peer = server.peer_id();
    let used = || client.connection(&peer).expect("connected").info().id;
    let [old, new] = [0, 1].map(|n| connections[n].info().id);
    assert_eq!(used(), new, "the newest");
    client.doubt(&peer, new, true);
    assert_eq!(used(), old, "the healthy one");
    client.doubt(&peer, old, true);
    assert_eq!(used(), new, "if none is, the newest");
    // What is answered is healthy.
    let eager = OpenOptions::default().eager();
    connections[0].open_with(["/echo"], eager).await.expect("opens");
    assert_eq!(used(), old);
    client.doubt(&peer, new, false);
    assert_eq!(used(), new);
    connections[1].close(code::connection::SHUTDOWN);
    assert_eq!(used(), old, "one that is being closed is used by nobody");
}

#[tokio::test(start_paused = true)]
async fn a_limited_connection_carries_what_may_and_nothing_else() {
    let relayed = Somewhere {
        limited: true,
        ..Somewhere::default()
    };
    let (server, addr) = listening(relayed.builder()).await;
    let client = started(builder()).await;
    client.set_stream_handler("/echo", echo).expect("free");
    client.connect(addr).await.expect("connects");
    let (peer, connection) = (client.peer_id(), server.connections().remove(0));
    assert!(connection.limited);
    let refused = server.new_stream(&peer, ["/echo"]).await;
    assert!(
        matches!(refused, Err(sinew_core::OpenError::Dial(_))),
        "{refused:?}"
    );
    let options = OpenOptions::default().limited();
    let stream = server
        .new_stream_with(&peer, ["/echo"], options)
        .await
        .expect("opens");
    assert_eq!(stream.connection().id, connection.id);
}
