//! The transport passes the suite that every transport passes.

use sinew_conformance::transport::{Subject, check};
use sinew_memory::MemoryTransport;

#[tokio::test(start_paused = true)]
async fn conforms() {
    let foreign = ["/ip4/127.0.0.1/tcp/1", "/memory/1/ws"].map(|text| text.parse().unwrap());
    check(&Subject::new(
        MemoryTransport::new(),
        "/memory/0".parse().unwrap(),
        foreign.into(),
    ))
    .await;
}
