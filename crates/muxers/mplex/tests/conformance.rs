//! The muxer passes the suite that every muxer passes, as one whose wire has no flow control.

use std::sync::Arc;

use sinew_conformance::muxer::{FlowControl, check_with};
use sinew_mplex::Mplex;

#[tokio::test(start_paused = true)]
async fn conforms() {
    check_with(Arc::new(Mplex::default()), FlowControl::Connection).await;
}
