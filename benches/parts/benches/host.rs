//! A host's streams and connections over pipes in memory, without encryption: what the host itself costs.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use criterion::{Criterion, criterion_group, criterion_main};
use sinew_core::{CloseCode, Connection, DialOptions, Host, Multiaddr, OpenOptions, Stream};
use sinew_host::{HostBuilder, Limits};
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_yamux::Yamux;
use std::sync::Arc;

const ECHO: &str = "/bench/echo/1.0.0";

/// What goes up and comes back.
const REQUEST: [u8; 40] = [1; 40];

fn builder() -> HostBuilder {
    let key = Keypair::generate();
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .limits(Limits::one_machine_plays_many())
}

async fn echo(mut stream: Stream) {
    if let Ok(request) = stream.read_to_end(REQUEST.len()).await {
        // The bench fails by itself where the answer does not come.
        let _ = stream.write_chunk(request).await;
        let _ = stream.finish().await;
    }
}

/// A dialler, and a listener with its address.
async fn two() -> (Host, Host, Multiaddr) {
    let listen = builder().listen("/memory/0".parse().expect("an address"));
    let listener = listen.start().await.expect("starts");
    listener.set_stream_handler(ECHO, echo).expect("a free name");
    let addr = listener.listen_addrs().remove(0);
    (builder().start().await.expect("starts"), listener, addr)
}

async fn dial(host: &Host, addr: &Multiaddr) -> Connection {
    let dialled = host.dial(addr.clone(), DialOptions::default()).await;
    dialled.expect("a listener")
}

async fn request(connection: &Connection) {
    let options = OpenOptions::default().finish_early();
    let mut stream = connection.open_with([ECHO], options).await.expect("a stream");
    stream.write_all(&REQUEST).await.expect("a reader");
    stream.finish().await.expect("a reader");
    let answer = stream.read_to_end(REQUEST.len()).await.expect("an answer");
    assert_eq!(answer[..], REQUEST);
}

fn host(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (dialer, _listener, addr) = runtime.block_on(two());
    let connection = runtime.block_on(dial(&dialer, &addr));
    c.bench_function("host stream open", |b| {
        b.iter(|| runtime.block_on(connection.open([ECHO])).expect("a stream"));
    });
    c.bench_function("host stream open, request and answer", |b| {
        b.iter(|| runtime.block_on(request(&connection)));
    });
    c.bench_function("host dial and close", |b| {
        runtime.block_on(async {
            connection.close(CloseCode::NONE);
            connection.closed().await;
        });
        b.iter(|| {
            runtime.block_on(async {
                let connection = dial(&dialer, &addr).await;
                connection.close(CloseCode::NONE);
                connection.closed().await;
            });
        });
    });
}

criterion_group!(benches, host);
criterion_main!(benches);
