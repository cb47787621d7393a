//! Hosts over the memory transport.

use sinew_core::{DialRequest, Host, Link, Multiaddr, Purpose, RawConnection, Stream, Transport, Unlimited};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_plaintext::InsecurePlaintext;
use sinew_yamux::Yamux;
use std::sync::Arc;

/// A builder with memory, plaintext and yamux.
pub(crate) fn builder() -> HostBuilder {
    with_key(Keypair::generate())
}

/// As [`builder`], with a key.
pub(crate) fn with_key(key: Keypair) -> HostBuilder {
    with(key, MemoryTransport::new())
}

/// A builder with a transport of the test's, plaintext and yamux.
pub(crate) fn builder_over(transport: impl Transport) -> HostBuilder {
    with(Keypair::generate(), transport)
}

fn with(key: Keypair, transport: impl Transport) -> HostBuilder {
    let plaintext = InsecurePlaintext::new(key.public());
    HostBuilder::new(Arc::new(key))
        .transport(transport)
        .security(plaintext)
        .muxer(Yamux::default())
}

/// A started host that listens on an address of its own.
pub(crate) async fn listening(builder: HostBuilder) -> (Host, Multiaddr) {
    let host = builder
        .listen("/memory/0".parse().expect("an address"))
        .start()
        .await
        .expect("starts");
    let addr = host.listen_addrs().remove(0);
    (host, addr)
}

/// A started host that listens nowhere.
pub(crate) async fn started(builder: HostBuilder) -> Host {
    builder.start().await.expect("starts")
}

/// Connects and says nothing.
pub(crate) async fn silent(addr: &Multiaddr) -> RawConnection {
    let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
    match MemoryTransport::new()
        .dial(addr, request)
        .await
        .expect("connects")
    {
        Link::Raw(raw) => raw,
        other => panic!("{other:?}"),
    }
}

/// Sends back whatever comes.
pub(crate) async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    // The peer may have gone: then there is nobody to tell.
    let _ = stream.finish().await;
}

/// Sends `data` and its end, and reads the answer to its end.
pub(crate) async fn ask(mut stream: Stream, data: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(data).await?;
    stream.finish().await?;
    Ok(stream.read_to_end(1 << 20).await?.to_vec())
}
