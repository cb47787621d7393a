//! Requests and responses between two hosts over the memory transport, on a paused clock.

use serde::{Deserialize, Serialize};
use sinew_core::{CloseCode, Host, Multiaddr, OpenError, Stream, StreamReset, code};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_request_response::{
    Cbor, Client, Codec, Config, Context, Framing, Json, MessageError, Refuse, RequestError,
};
use sinew_runtime::now;
use sinew_yamux::Yamux;
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const NAME: &str = "/add/1.1.0";

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Add(u32, u32);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Sum(u64);

type Adding = Cbor<Add, Sum>;

async fn add(Add(a, b): Add, _: Context) -> Result<Sum, Refuse> {
    Ok(Sum(u64::from(a) + u64::from(b)))
}

fn builder() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
}

/// A host that serves, one that asks and is connected to it, and the client of the second.
async fn pair<A: Codec, B: Codec>(serving: Config<A>, asking: Config<B>) -> (Host, Host, Client<B>) {
    let (mut server, mut client) = (builder(), builder());
    server.add(serving);
    let handle = client.add(asking);
    let any: Multiaddr = "/memory/0".parse().expect("an address");
    let server = server.listen(any).start().await.expect("starts");
    let client = client.start().await.expect("starts");
    client.connect(server.listen_addrs()).await.expect("connects");
    (server, client, handle)
}

#[tokio::test(start_paused = true)]
async fn each_codec_and_framing_carries_a_request_and_its_answer() {
    for framing in [Framing::LengthPrefixed, Framing::ToEnd] {
        let config = || Config::<Adding>::new(NAME).framing(framing);
        let (server, _client, ask) = pair(config().serve(add), config()).await;
        assert_eq!(
            ask.request(server.peer_id(), &Add(1, 2)).await.expect("answers"),
            Sum(3)
        );
        let json = || Config::<Json<Add, Sum>>::new(NAME).framing(framing);
        let (server, client, ask) = pair(json().serve(add), json()).await;
        let connection = client.connection(&server.peer_id()).expect("connected");
        assert_eq!(
            ask.request_over(&connection, &Add(3, 4)).await.expect("answers"),
            Sum(7)
        );
    }
}

#[cfg(feature = "prost")]
#[tokio::test(start_paused = true)]
async fn protobuf_carries_a_request_and_its_answer() {
    use sinew_request_response::Protobuf;
    let config = || Config::<Protobuf<String, u64>>::new(NAME);
    let length = |text: String, _: Context| async move { Ok(text.len() as u64) };
    let (server, _client, ask) = pair(config().serve(length), config()).await;
    assert_eq!(
        ask.request(server.peer_id(), &"hello".into())
            .await
            .expect("answers"),
        5
    );
    let long = "x".repeat(100_000);
    assert_eq!(
        ask.request(server.peer_id(), &long).await.expect("answers"),
        100_000
    );
}

#[tokio::test(start_paused = true)]
async fn fallback_names_meet_and_the_handler_knows_which() {
    let which = |_: Add, context: Context| async move { Ok(Sum(context.protocol.as_str().len() as u64)) };
    let old = Config::<Adding>::new("/add/1").serve(which);
    let new = Config::<Adding>::new("/add/2").fallback("/add/1");
    let (server, _client, ask) = pair(old, new).await;
    assert_eq!(
        ask.request(server.peer_id(), &Add(0, 0)).await.expect("answers"),
        Sum(6)
    );
    let (server, _client, ask) = pair(
        Config::<Adding>::new("/x").serve(add),
        Config::<Adding>::new(NAME),
    )
    .await;
    let refused = ask
        .request(server.peer_id(), &Add(0, 0))
        .await
        .expect_err("not spoken");
    assert!(
        matches!(refused, RequestError::Open(OpenError::Negotiation { .. })),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_at_once_all_have_their_answer_however_few_places_there_are() {
    let config = || {
        Config::<Adding>::new(NAME)
            .outbound_per_peer(8)
            .inbound_per_peer(16)
    };
    let (server, _client, ask) = pair(config().serve(add), config()).await;
    let one = |n: u32| {
        let (ask, peer) = (ask.clone(), server.peer_id());
        async move { ask.request(peer, &Add(n, n)).await.expect("answers").0 }
    };
    let sums = futures_util::future::join_all((0..100).map(one)).await;
    assert_eq!(sums.iter().sum::<u64>(), 9900);
}

#[tokio::test(start_paused = true)]
async fn both_sides_keep_the_deadline() {
    let never = |_: Add, _: Context| pending::<Result<Sum, Refuse>>();
    let short = Duration::from_secs(2);
    let (server, _client, ask) = pair(
        Config::<Adding>::new(NAME).serve(never),
        Config::<Adding>::new(NAME).timeout(short),
    )
    .await;
    let begun = now();
    let error = ask
        .request(server.peer_id(), &Add(0, 0))
        .await
        .expect_err("nobody answers");
    assert!(
        matches!(error, RequestError::Timeout { after, .. } if after == short),
        "{error}"
    );
    assert_eq!(now() - begun, short);
    let (server, _client, ask) = pair(
        Config::<Adding>::new(NAME).timeout(short).serve(never),
        Config::<Adding>::new(NAME),
    )
    .await;
    let error = ask
        .request(server.peer_id(), &Add(0, 0))
        .await
        .expect_err("nobody answers");
    let RequestError::Message {
        error: MessageError::Reset(StreamReset(code)),
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(code, code::stream::GARBAGE_COLLECTED);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_drops_the_work_on_its_answer() {
    struct Tell(Arc<Notify>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (started, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell_started, tell_dropped) = (started.clone(), dropped.clone());
    let work = move |_: Add, _: Context| {
        tell_started.notify_one();
        let tell = Tell(tell_dropped.clone());
        async move {
            let _tell = tell;
            pending().await
        }
    };
    let (server, _client, ask) = pair(
        Config::<Adding>::new(NAME).serve(work),
        Config::<Adding>::new(NAME),
    )
    .await;
    let add = Add(0, 0);
    let begun = now();
    tokio::select! {
        _ = ask.request(server.peer_id(), &add) => panic!("nobody answers"),
        () = started.notified() => {}
    }
    dropped.notified().await;
    assert_eq!(now(), begun, "at once");
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_peer_are_limited_and_a_refusal_has_its_code() {
    let never = |_: Add, _: Context| pending::<Result<Sum, Refuse>>();
    let serving = Config::<Adding>::new(NAME).inbound_per_peer(2).serve(never);
    let (server, _client, ask) = pair(serving, Config::<Adding>::new(NAME)).await;
    let requests = (0..3).map(|n| {
        let (ask, peer) = (ask.clone(), server.peer_id());
        Box::pin(async move { ask.request(peer, &Add(n, n)).await })
    });
    let (first, ..) = futures_util::future::select_all(requests).await;
    let error = first.expect_err("one too many");
    let RequestError::Message {
        error: MessageError::Reset(StreamReset(code)),
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(code, code::stream::RESOURCE_LIMIT);
    let refuse = |_: Add, _: Context| async { Err::<Sum, _>(Refuse(CloseCode(77))) };
    let (server, _client, ask) = pair(
        Config::<Adding>::new(NAME).serve(refuse),
        Config::<Adding>::new(NAME),
    )
    .await;
    let error = ask
        .request(server.peer_id(), &Add(0, 0))
        .await
        .expect_err("refused");
    assert!(
        matches!(
            error,
            RequestError::Message {
                error: MessageError::Reset(StreamReset(CloseCode(77))),
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn bad_requests_cost_their_stream_and_nothing_else() {
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let serve = move |request: Add, context: Context| {
        count.fetch_add(1, Ordering::Relaxed);
        add(request, context)
    };
    let config = Config::<Adding>::new(NAME)
        .max_request(100)
        .timeout(Duration::from_secs(3))
        .serve(serve);
    let (server, client, ask) = pair(config, Config::<Adding>::new(NAME)).await;
    let good = Adding::encode_request(&Add(1, 1)).expect("encodes");
    let truncated = [&[good.len() as u8 + 1][..], &good].concat();
    let trailing = [&[good.len() as u8 + 1][..], &good, &[0]].concat();
    for bad in [
        &b"\x83\x00abc"[..],
        b"\x65",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x03abc",
        &truncated,
        &trailing,
        b"",
    ] {
        let mut stream = client.new_stream(&server.peer_id(), [NAME]).await.expect("opens");
        // The refusal may come before all of it has left.
        let _ = stream.write_all(bad).await;
        let _ = stream.finish().await;
        let error = stream.read_to_end(1000).await.expect_err("reset");
        let reset = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<StreamReset>());
        assert_eq!(
            reset,
            Some(&StreamReset(code::stream::PROTOCOL_VIOLATION)),
            "{bad:?}"
        );
    }
    assert_eq!(served.load(Ordering::Relaxed), 0);
    assert_eq!(
        ask.request(server.peer_id(), &Add(1, 1))
            .await
            .expect("the connection lives"),
        Sum(2)
    );
}

#[tokio::test(start_paused = true)]
async fn bad_answers_are_named() {
    for (answer, expect) in [
        (&b"\x05abc"[..], "the stream ended"),
        (b"\xff\xff\x7f", "request to"),
        (b"\x83\x00abc", "request to"),
        (b"\x03abc", "request to"),
    ] {
        let (server, _client, ask) = pair(
            Config::<Adding>::new("/other"),
            Config::<Adding>::new(NAME).max_response(50),
        )
        .await;
        server
            .set_stream_handler(NAME, move |mut stream: Stream| async move {
                stream.write_all(answer).await.expect("sent");
                stream.finish().await.expect("sent");
            })
            .expect("free");
        let error = ask
            .request(server.peer_id(), &Add(0, 0))
            .await
            .expect_err("no answer");
        let text = error.to_string();
        assert!(
            text.contains(expect) && text.contains(&server.peer_id().to_string()),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_or_cannot_be_said_never_leaves() {
    let config = Config::<Json<Vec<u8>, Sum>>::new(NAME).max_request(10);
    let (server, _client, ask) = pair(Config::<Adding>::new(NAME), config).await;
    let error = ask
        .request(server.peer_id(), &vec![200; 10])
        .await
        .expect_err("too long");
    assert!(
        matches!(error, RequestError::TooLong { length: 41, max: 10 }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_leaves_no_task() {
    let (server, client, ask) = pair(
        Config::<Adding>::new(NAME).serve(add),
        Config::<Adding>::new(NAME),
    )
    .await;
    ask.request(server.peer_id(), &Add(1, 1)).await.expect("answers");
    client.shutdown(Duration::from_secs(1)).await;
    server.shutdown(Duration::from_secs(1)).await;
    assert!(server.connections().is_empty() && client.connections().is_empty());
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}
