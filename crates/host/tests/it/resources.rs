//! What limits refuse, what they count, and what a dry run lets through.

use crate::rig::{ask, builder, builder_over, echo, listening, started};
use async_trait::async_trait;
use sinew_core::{
    BoxedIo, CloseCode, Connection, ConnectionEvent, ConnectionGater, ConnectionInfo, DialOptions,
    DialRequest, Host, Link, Listener, Multiaddr, Muxed, MuxerUpgrade, NegotiationError, OpenError,
    OpenOptions, ProtocolId, Purpose, Reservation, Resource, ResourceScope, Role, ScopeKind, Stream,
    StreamReset, Transport, TransportError, Verdict, code,
};
use sinew_host::{HostBuilder, Limits};
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::TaskScope;
use sinew_yamux::Yamux;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Keeps a stream for as long as the other side does.
async fn hold(mut stream: Stream) {
    while let Ok(Some(_)) = stream.read_chunk().await {}
}

/// A host with limits that serves `/hold`, `/other` and `/echo`.
async fn server(change: impl FnOnce(&mut Limits)) -> (Host, Multiaddr) {
    let mut limits = Limits::default();
    change(&mut limits);
    let (host, addr) = listening(builder().limits(limits)).await;
    host.set_stream_handler("/hold", hold).expect("free");
    host.set_stream_handler("/other", hold).expect("free");
    host.set_stream_handler("/echo", echo).expect("free");
    (host, addr)
}

async fn connect(addr: &Multiaddr) -> (Host, Connection) {
    let client = started(builder()).await;
    let connection = another(&client, addr).await;
    (client, connection)
}

async fn another(client: &Host, addr: &Multiaddr) -> Connection {
    let options = DialOptions::default().purpose(Purpose::Probe);
    client.dial(addr.clone(), options).await.expect("connects")
}

/// A stream of `protocol` that the server has, or the code by which it refused one.
async fn open(connection: &Connection, protocol: &str) -> Result<Stream, CloseCode> {
    let options = OpenOptions::default().eager();
    let opened = connection.open_with([protocol], options).await;
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(OpenError::Negotiation {
            error: NegotiationError::Io(error),
            ..
        }) => return Err(reset_of(&error)),
        Err(error) => panic!("{error:?}"),
    };
    // A refusal may come after the negotiation; whoever was not refused hears nothing.
    match timeout(Duration::from_millis(1), stream.read_chunk()).await {
        Err(_) => Ok(stream),
        Ok(Err(error)) => Err(reset_of(&error)),
        Ok(Ok(read)) => panic!("{read:?}"),
    }
}

/// The code of the reset inside an error.
fn reset_of(error: &std::io::Error) -> CloseCode {
    let reset = error.get_ref().and_then(|inside| inside.downcast_ref());
    let StreamReset(code) = reset.unwrap_or_else(|| panic!("no reset: {error:?}"));
    *code
}

fn refusals(host: &Host) -> Vec<(ScopeKind, Resource, u64)> {
    let counts = host.resources().refusals;
    counts
        .iter()
        .map(|one| (one.scope, one.resource, one.count))
        .collect()
}

fn used(host: &Host, resource: Resource) -> u64 {
    let usage = host.resources().system;
    usage
        .iter()
        .filter(|usage| usage.resource == resource)
        .map(|usage| usage.used)
        .sum()
}

async fn settled(host: &Host) {
    while host.resources().system.iter().any(|usage| usage.used > 0) {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((host.resources().peers, host.resources().protocols.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn streams_are_limited_by_connection_peer_protocol_and_in_all() {
    type Change = fn(&mut Limits);
    let table: [(ScopeKind, Change); 4] = [
        (ScopeKind::Connection, |limits| {
            limits.inbound_streams_per_connection = 2;
        }),
        (ScopeKind::Peer, |limits| limits.inbound_streams_per_peer = 2),
        (ScopeKind::Protocol, |limits| {
            limits.inbound_streams_per_protocol = 2;
        }),
        (ScopeKind::System, |limits| {
            limits.inbound_streams = 2;
            limits.inbound_streams_reserved = 0;
        }),
    ];
    for (kind, change) in table {
        let (server, addr) = server(change).await;
        let (client, connection) = connect(&addr).await;
        let (one, two) = (
            open(&connection, "/hold").await.expect("room"),
            open(&connection, "/hold").await.expect("room"),
        );
        let refused = open(&connection, "/hold").await.expect_err("no room");
        assert_eq!(
            refused,
            code::stream::RESOURCE_LIMIT,
            "{kind}: the code names no limit"
        );
        assert_eq!(refusals(&server), [(kind, Resource::Streams, 1)]);
        assert_eq!(used(&server, Resource::Streams), 2, "{kind}");
        // Who is not meant gets in.
        let second = another(&client, &addr).await;
        let (_other, stranger) = connect(&addr).await;
        assert_eq!(
            open(&second, "/hold").await.is_ok(),
            kind == ScopeKind::Connection
        );
        assert_eq!(
            open(&stranger, "/hold").await.is_ok(),
            matches!(kind, ScopeKind::Connection | ScopeKind::Peer)
        );
        assert_eq!(open(&stranger, "/other").await.is_ok(), kind != ScopeKind::System);
        drop(one);
        sleep(Duration::from_millis(10)).await;
        let again = open(&connection, "/hold").await.expect("there is room again");
        drop((two, again, connection, second, stranger));
        client.shutdown(Duration::ZERO).await;
        _other.shutdown(Duration::ZERO).await;
        settled(&server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_reserve_of_streams_lets_a_modest_peer_in_beside_a_greedy_one() {
    let (server, addr) = server(|limits| {
        (limits.inbound_streams, limits.inbound_streams_reserved) = (40, 10);
        limits.inbound_streams_per_peer = 40;
    })
    .await;
    let ((_one, greedy), (_two, modest)) = (connect(&addr).await, connect(&addr).await);
    let mut held = Vec::new();
    while let Ok(stream) = open(&greedy, "/hold").await {
        held.push(stream);
    }
    assert_eq!(held.len(), 30);
    for _ in 0..10 {
        held.push(open(&modest, "/hold").await.expect("kept for those who have few"));
    }
    assert_eq!(refusals(&server), [(ScopeKind::System, Resource::Streams, 1)]);
}

#[tokio::test(start_paused = true)]
async fn our_own_streams_and_connections_are_limited_too() {
    let (_server, addr) = server(|_| ()).await;
    let (_other, elsewhere) = server(|_| ()).await;
    let mut limits = Limits::default();
    (limits.outbound_connections, limits.outbound_streams) = (1, 1);
    let client = started(builder().limits(limits)).await;
    let connection = client.dial(addr, DialOptions::default()).await.expect("room");
    let _held = open(&connection, "/hold").await.expect("room");
    let refused = connection.open(["/hold"]).await.expect_err("no room");
    assert!(
        matches!(&refused, OpenError::Limit { error, .. } if error.limit == 1),
        "{refused}"
    );
    let refused = client
        .dial(elsewhere, DialOptions::default())
        .await
        .expect_err("no room");
    assert!(
        refused.to_string().contains("outbound connections of the node"),
        "{refused}"
    );
    let expected = [
        (ScopeKind::System, Resource::Connections, 1),
        (ScopeKind::System, Resource::Streams, 1),
    ];
    assert_eq!(refusals(&client), expected);
}

/// The memory transport, as if each of its connections were a socket.
#[derive(Debug)]
struct Sockets(MemoryTransport);

#[async_trait]
impl Transport for Sockets {
    fn name(&self) -> &'static str {
        "sockets"
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        self.0.handles(addr)
    }

    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        self.0.dial(addr, request).await
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        self.0.listen(addr).await
    }
}

#[tokio::test(start_paused = true)]
async fn descriptors_are_held_from_accept_to_the_end() {
    let mut limits = Limits::default();
    limits.descriptors = 2;
    let (server, addr) = listening(builder_over(Sockets(MemoryTransport::new())).limits(limits)).await;
    let (one, _first) = connect(&addr).await;
    let request = DialRequest::new(None, Purpose::Use, Arc::new(sinew_core::Unlimited));
    let silent = MemoryTransport::new()
        .dial(&addr, request)
        .await
        .expect("accepted");
    let refused = started(builder()).await;
    refused
        .connect(addr.clone())
        .await
        .expect_err("a pending connection has a descriptor too");
    assert_eq!(used(&server, Resource::Descriptors), 2);
    assert_eq!(refusals(&server), [(ScopeKind::System, Resource::Descriptors, 1)]);
    drop(silent);
    sleep(Duration::from_millis(10)).await;
    refused.connect(addr).await.expect("there is one again");
    let held = server.connection(&one.peer_id());
    one.shutdown(Duration::ZERO).await;
    refused.shutdown(Duration::ZERO).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(used(&server, Resource::Descriptors), 0, "a handle keeps none");
    drop(held);
    settled(&server).await;
}

/// Yamux whose connections reserve memory for themselves.
#[derive(Debug)]
struct Hungry {
    bytes: u64,
    held: Arc<Mutex<Vec<Reservation>>>,
}

impl MuxerUpgrade for Hungry {
    fn protocol(&self) -> ProtocolId {
        Yamux::default().protocol()
    }

    fn mux(&self, io: BoxedIo, role: Role, scope: Arc<dyn ResourceScope>) -> Muxed {
        let reserved = Reservation::new(scope.clone(), Resource::Memory, self.bytes);
        self.held.lock().expect("one thread").extend(reserved);
        Yamux::default().mux(io, role, scope)
    }
}

/// Three connections that reserve so much each: two of one peer, one of another. How many may, and who refused.
async fn reserve(bytes: u64, change: fn(&mut Limits)) -> (usize, Vec<(ScopeKind, Resource, u64)>) {
    let mut limits = Limits::default();
    (
        limits.memory,
        limits.memory_per_peer,
        limits.memory_per_connection,
    ) = (1000, 1000, 1000);
    change(&mut limits);
    let (key, held) = (Keypair::generate(), Arc::default());
    let hungry = Hungry {
        bytes,
        held: Arc::clone(&held),
    };
    let server = HostBuilder::new(Arc::new(key.clone()))
        .transport(MemoryTransport::new())
        .security(InsecurePlaintext::new(key.public()))
        .muxer(hungry)
        .limits(limits);
    let (server, addr) = listening(server).await;
    let (client, _first) = connect(&addr).await;
    let _second = another(&client, &addr).await;
    let _third = connect(&addr).await;
    sleep(Duration::from_millis(10)).await;
    let counted = held.lock().expect("one thread").len();
    (counted, refusals(&server))
}

#[tokio::test(start_paused = true)]
async fn memory_is_limited_by_connection_peer_and_in_all() {
    let none = reserve(100, |_| ()).await;
    assert_eq!(none, (3, vec![]));
    let each = reserve(100, |limits| limits.memory_per_connection = 99).await;
    assert_eq!(each, (0, vec![(ScopeKind::Connection, Resource::Memory, 3)]));
    let all = reserve(100, |limits| limits.memory = 299).await;
    assert_eq!(all, (2, vec![(ScopeKind::System, Resource::Memory, 1)]));
    // The second connection brings more than its peer may have: it is not established.
    let (_, of_peer) = reserve(100, |limits| limits.memory_per_peer = 199).await;
    assert_eq!(of_peer, [(ScopeKind::Peer, Resource::Memory, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_lies_unread_has_shares_and_an_honest_peer_goes_on() {
    const POOL: u64 = 512 << 10;
    let (server, addr) = server(|limits| limits.unread = POOL).await;
    let deaf = |stream: Stream| async move {
        sleep(Duration::from_secs(3600)).await;
        drop(stream);
    };
    server.set_stream_handler("/deaf", deaf).expect("free");
    let (mut hogs, tasks) = (Vec::new(), TaskScope::new("hogs"));
    for _ in 0..4 {
        let (host, connection) = connect(&addr).await;
        for _ in 0..8 {
            let mut stream = connection.open(["/deaf"]).await.expect("opens");
            tasks.spawn("hog", async move {
                // What the server does not read waits here, with the stream.
                let _ = stream.write_all(&[7; 250 << 10]).await;
                let _ = stream.read_chunk().await;
            });
        }
        hogs.push((host, connection));
    }
    sleep(Duration::from_secs(5)).await;
    let held = used(&server, Resource::Unread);
    assert!(
        held > POOL / 2 && held < 2 * POOL,
        "{held} bytes beyond what is each connection's own"
    );
    let (_honest, connection) = connect(&addr).await;
    for _ in 0..20 {
        let stream = connection.open(["/echo"]).await.expect("opens");
        let answer = timeout(Duration::from_secs(1), ask(stream, &[1; 100 << 10])).await;
        assert_eq!(answer.expect("in time").expect("answers").len(), 100 << 10);
    }
    let shared = (ScopeKind::Connection, Resource::Unread);
    assert!(
        refusals(&server)
            .iter()
            .any(|(kind, resource, _)| (*kind, *resource) == shared)
    );
    for (host, _) in hogs {
        host.shutdown(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_counts_what_it_would_refuse_and_refuses_nothing() {
    let (server, addr) = server(|limits| {
        limits.dry_run = true;
        (limits.inbound_connections, limits.connections_per_peer) = (1, 1);
        (
            limits.inbound_streams_per_connection,
            limits.inbound_streams_per_protocol,
        ) = (1, 1);
        limits.unread = 0;
    })
    .await;
    let ((_one, first), (_two, second)) = (connect(&addr).await, connect(&addr).await);
    let third = another(&_two, &addr).await;
    let mut held = Vec::new();
    for connection in [&first, &second, &third] {
        for _ in 0..3 {
            held.push(open(connection, "/hold").await.expect("nothing is refused"));
        }
        let stream = connection.open(["/echo"]).await.expect("opens");
        assert_eq!(
            ask(stream, &[1; 300 << 10]).await.expect("answers").len(),
            300 << 10
        );
    }
    let resources = server.resources();
    assert!(resources.dry_run);
    for expected in [
        (ScopeKind::System, Resource::Connections),
        (ScopeKind::Connection, Resource::Streams),
    ] {
        let counted = resources
            .refusals
            .iter()
            .any(|one| (one.scope, one.resource) == expected);
        assert!(counted, "{expected:?} in {:?}", resources.refusals);
    }
}

/// Yamux whose remote has not taken the goodbye yet: its connections do not end.
#[derive(Debug)]
struct Lingering;

impl MuxerUpgrade for Lingering {
    fn protocol(&self) -> ProtocolId {
        Yamux::default().protocol()
    }

    fn mux(&self, io: BoxedIo, role: Role, scope: Arc<dyn ResourceScope>) -> Muxed {
        let mut muxed = Yamux::default().mux(io, role, scope);
        let driver = muxed.driver;
        muxed.driver = Box::pin(async move {
            driver.await;
            std::future::pending().await
        });
        muxed
    }
}

#[derive(Debug)]
struct Nobody;

impl ConnectionGater for Nobody {
    fn on_established(&self, _: &ConnectionInfo) -> Verdict {
        Verdict::Deny
    }
}

/// A host that tells everybody no, and whose goodbyes take as long as they may.
async fn refusing() -> (Host, Multiaddr) {
    let key = Keypair::generate();
    let server = HostBuilder::new(Arc::new(key.clone()))
        .transport(Sockets(MemoryTransport::new()))
        .security(InsecurePlaintext::new(key.public()))
        .muxer(Lingering)
        .gater(Nobody);
    listening(server).await
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_told_no_counts_until_it_is_gone() {
    let (server, addr) = refusing().await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let client = started(builder()).await;
    // The dialler may be done before the listener is.
    let _ = client.connect(addr).await;
    let event = events.next().await.expect("not lagged").expect("alive");
    assert!(
        matches!(event, ConnectionEvent::InboundFailed { .. }),
        "{event:?}"
    );
    sleep(Duration::from_secs(1)).await;
    assert_eq!(used(&server, Resource::Descriptors), 1, "it still says goodbye");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(used(&server, Resource::Descriptors), 0);
}

#[tokio::test(start_paused = true)]
async fn of_a_flood_of_connections_that_are_told_no_not_all_say_goodbye() {
    let (server, addr) = refusing().await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let client = started(builder().limits(Limits::one_machine_plays_many())).await;
    for _ in 0..300 {
        // The dialler may be done before the listener is.
        let probe = DialOptions::default().purpose(Purpose::Probe);
        let _ = client.dial(addr.clone(), probe).await;
        events.next().await.expect("not lagged").expect("alive");
    }
    assert_eq!(used(&server, Resource::Descriptors), 256);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(used(&server, Resource::Descriptors), 0);
}
