//! Handlers, negotiation, and what happens to streams.

use crate::rig::{ask, builder, echo, listening, started};
use sinew_core::{
    BoxFuture, BoxedIo, CloseCode, CloseReason, HandlerOptions, MuxError, Muxed, MuxedConnection,
    MuxedStream, MuxerUpgrade, NegotiationError, OpenError, OpenOptions, ProtocolId, ResourceScope, Role,
    Stream, StreamEvent, StreamReset, code,
};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_yamux::Yamux;
use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

fn reset_code(error: &io::Error) -> Option<u32> {
    let reset = error.get_ref()?.downcast_ref::<StreamReset>()?;
    Some(reset.0.0)
}

#[tokio::test(start_paused = true)]
async fn any_number_of_protocols_each_to_its_own_handler() {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo/1", echo).expect("free");
    let served = Arc::new(AtomicUsize::new(0));
    let state = served.clone();
    let count = move |mut stream: Stream| {
        let n = state.fetch_add(1, Ordering::Relaxed);
        async move {
            stream
                .write_all(&[u8::try_from(n).expect("few")])
                .await
                .expect("the asker reads");
            stream.finish().await.expect("the asker reads");
        }
    };
    server.set_stream_handler("/count/1", count).expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    for n in 0..3u8 {
        let stream = client.new_stream(&peer, ["/echo/1"]).await.expect("opens");
        assert_eq!(ask(stream, b"hello").await.expect("answers"), b"hello");
        let mut stream = client.new_stream(&peer, ["/count/1"]).await.expect("opens");
        assert_eq!(stream.read_to_end(9).await.expect("answers"), [n].as_slice());
    }
    assert_eq!(served.load(Ordering::Relaxed), 3);
    assert_eq!(
        client.connections().len(),
        1,
        "everything went over one connection"
    );
}

#[tokio::test(start_paused = true)]
async fn several_protocols_are_offered_in_order_and_the_first_that_is_spoken_wins() {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo/1.0.0", echo).expect("free");
    server
        .set_stream_handler_match("/any", |name| name.starts_with("/any/"), echo)
        .expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    for (offer, spoken) in [
        (vec!["/echo/2.0.0", "/echo/1.0.0"], "/echo/1.0.0"),
        (vec!["/none", "/any/thing", "/echo/1.0.0"], "/any/thing"),
    ] {
        let stream = client.new_stream(&peer, offer).await.expect("opens");
        assert_eq!(stream.protocol(), &spoken);
        assert_eq!(ask(stream, b"x").await.expect("answers"), b"x");
    }
    let refused = client
        .new_stream(&peer, ["/a", "/b"])
        .await
        .expect_err("neither is spoken");
    let OpenError::Negotiation {
        error: NegotiationError::Unsupported(_),
        ..
    } = refused
    else {
        panic!("{refused}")
    };
}

#[tokio::test(start_paused = true)]
async fn a_refused_single_protocol_shows_at_the_first_read_or_at_once_when_eager() {
    let (server, addr) = listening(builder()).await;
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let mut lazy = client
        .new_stream(&peer, ["/unknown"])
        .await
        .expect("opens without asking");
    let error = lazy.read_chunk().await.expect_err("refused");
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<NegotiationError>());
    assert!(
        matches!(inner, Some(NegotiationError::Unsupported(_))),
        "{error:?}"
    );
    let eager = client
        .new_stream_with(&peer, ["/unknown"], OpenOptions::default().eager())
        .await;
    assert!(matches!(eager, Err(OpenError::Negotiation { .. })));
    assert!(
        server.connections().len() == 1,
        "a refusal costs the stream and nothing else"
    );
}

#[tokio::test(start_paused = true)]
async fn a_removed_handler_is_gone_and_a_panic_resets_its_stream_only() {
    let (server, addr) = listening(builder()).await;
    server
        .set_stream_handler("/panic", |_: Stream| async { panic!("on purpose") })
        .expect("free");
    server.set_stream_handler("/echo", echo).expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let other = client.new_stream(&peer, ["/echo"]).await.expect("opens");
    let mut broken = client.new_stream(&peer, ["/panic"]).await.expect("opens");
    let error = broken.read_chunk().await.expect_err("reset");
    assert!(reset_code(&error).is_some(), "{error:?}");
    assert_eq!(ask(other, b"still here").await.expect("answers"), b"still here");
    assert!(server.remove_stream_handler("/echo") && !server.remove_stream_handler("/echo"));
    let gone = client
        .new_stream(&peer, ["/echo"])
        .await
        .expect("opens without asking");
    assert!(ask(gone, b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn streams_of_one_protocol_are_limited_by_peer_and_the_rest_reset_at_once() {
    let (server, addr) = listening(builder()).await;
    let (hold, held) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (wait, count) = (hold.clone(), held.clone());
    let handler = move |mut stream: Stream| {
        let (wait, count) = (wait.clone(), count.clone());
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            wait.notified().await;
            let _ = stream.finish().await;
        }
    };
    server
        .set_stream_handler_with(
            "/hold",
            HandlerOptions::default().max_streams_per_peer(2),
            handler,
        )
        .expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let open = || client.new_stream_with(&peer, ["/hold"], OpenOptions::default().eager());
    let (mut first, _second) = (open().await.expect("opens"), open().await.expect("opens"));
    let refused = open().await.expect_err("reset, which overtakes the agreement");
    let OpenError::Negotiation {
        error: NegotiationError::Io(error),
        ..
    } = refused
    else {
        panic!("{refused}")
    };
    assert_eq!(reset_code(&error), Some(code::stream::RESOURCE_LIMIT.0));
    hold.notify_one();
    assert_eq!(first.read_chunk().await.expect("ends well"), None);
    drop(first);
    let mut again = open().await.expect("opens");
    hold.notify_waiters();
    assert_eq!(again.read_chunk().await.expect("ends well"), None);
    assert_eq!(held.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_elsewhere_learns_that_the_asker_left() {
    let (server, addr) = listening(builder()).await;
    let left = Arc::new(Notify::new());
    let tell = left.clone();
    let handler = move |mut stream: Stream| {
        let tell = tell.clone();
        async move {
            assert_eq!(stream.reset_by_peer().await, code::stream::GARBAGE_COLLECTED);
            tell.notify_one();
        }
    };
    server.set_stream_handler("/wait", handler).expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let stream = client
        .new_stream_with(&peer, ["/wait"], OpenOptions::default().eager())
        .await
        .expect("opens");
    stream.reset(code::stream::GARBAGE_COLLECTED);
    tokio::time::timeout(Duration::from_secs(1), left.notified())
        .await
        .expect("it learns");
}

#[tokio::test(start_paused = true)]
async fn subscribers_hear_of_streams_on_both_sides() {
    let (server, addr) = listening(builder()).await;
    server.set_stream_handler("/echo", echo).expect("free");
    let client = started(builder()).await;
    let (mut ours, mut theirs) = (
        client.subscribe::<StreamEvent>(),
        server.subscribe::<StreamEvent>(),
    );
    let peer = client.connect(addr).await.expect("connects");
    let stream = client.new_stream(&peer, ["/echo"]).await.expect("opens");
    ask(stream, b"x").await.expect("answers");
    for events in [&mut ours, &mut theirs] {
        let opened = events.next().await.expect("not lagged").expect("alive");
        assert!(matches!(opened, StreamEvent::Opened { protocol, .. } if protocol == "/echo"));
        let closed = events.next().await.expect("not lagged").expect("alive");
        assert!(matches!(closed, StreamEvent::Closed { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn opening_needs_a_protocol_and_a_peer_that_can_be_found() {
    let client = started(builder()).await;
    let peer = sinew_identity::PeerId::random();
    let error = client
        .new_stream(&peer, ["/x"])
        .await
        .expect_err("nobody knows the peer");
    assert!(error.to_string().contains("no address"), "{error}");
    assert!(error.source().is_none_or(|source| !source.to_string().is_empty()));
    let (_server, addr) = listening(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let error = client
        .new_stream(&peer, Vec::<String>::new())
        .await
        .expect_err("no protocol");
    assert!(matches!(error, OpenError::NoProtocol));
}

/// Yamux that neither opens a stream nor closes, as one does whose remote takes nothing.
#[derive(Debug)]
struct Stuck(Yamux);

struct StuckHandle(Arc<dyn MuxedConnection>);

impl MuxerUpgrade for Stuck {
    fn protocol(&self) -> ProtocolId {
        self.0.protocol()
    }

    fn mux(&self, io: BoxedIo, role: Role, scope: Arc<dyn ResourceScope>) -> Muxed {
        let mut muxed = self.0.mux(io, role, scope);
        muxed.handle = Arc::new(StuckHandle(muxed.handle));
        muxed
    }
}

fn stuck() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Stuck(Yamux::default()))
}

impl MuxedConnection for StuckHandle {
    fn open(&self) -> BoxFuture<'static, Result<Box<dyn MuxedStream>, MuxError>> {
        Box::pin(std::future::pending())
    }

    fn close(&self, _: CloseCode) {}

    fn closed(&self) -> BoxFuture<'static, CloseReason> {
        self.0.closed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_muxer_that_opens_nothing_costs_the_deadline_and_no_place() {
    let (_server, addr) = listening(builder()).await;
    let client = started(stuck()).await;
    let peer = client.connect(addr).await.expect("connects");
    let begun = sinew_runtime::now();
    let error = client
        .new_stream(&peer, ["/echo"])
        .await
        .expect_err("never opens");
    assert!(
        matches!(error, OpenError::Timeout { peer: named, .. } if named == peer),
        "{error}"
    );
    assert_eq!(sinew_runtime::now() - begun, OpenOptions::default().timeout);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_carries_nothing_new_while_it_closes() {
    let (server, addr) = listening(stuck()).await;
    let flooder = started(builder()).await;
    let peer = flooder.connect(addr).await.expect("connects");
    let mut negotiations = 0;
    while server.connection(&flooder.peer_id()).is_some() {
        negotiations += 1;
        assert!(negotiations < 1000, "it was never cut");
        let names = (0..100).map(|n| format!("/no/{n}"));
        let options = OpenOptions::default().eager();
        flooder
            .new_stream_with(&peer, names, options)
            .await
            .expect_err("nobody serves it");
    }
    assert_eq!(server.connections().len(), 1, "it is still there");
}
