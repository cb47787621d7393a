//! The upgrade passes the suite that every secure upgrade passes.

use sinew_conformance::security::{Subject, check};
use sinew_noise::Noise;

#[tokio::test(start_paused = true)]
async fn conforms() {
    check(&Subject::new(|key| Noise::new(&key).expect("the key signs"))).await;
}
