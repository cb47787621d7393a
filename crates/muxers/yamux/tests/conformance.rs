//! The muxer passes the suite that every muxer passes.

use std::sync::Arc;

use sinew_conformance::muxer::check;
use sinew_yamux::Yamux;

#[tokio::test(start_paused = true)]
async fn conforms() {
    check(Arc::new(Yamux::default())).await;
}
