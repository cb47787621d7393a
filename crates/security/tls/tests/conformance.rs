//! The upgrade passes the suite that every secure upgrade passes.

use sinew_conformance::security::{Subject, check};
use sinew_tls::Tls;

#[tokio::test(start_paused = true)]
async fn conforms() {
    check(&Subject::new(|key| Tls::new(&key).expect("the key signs"))).await;
}
