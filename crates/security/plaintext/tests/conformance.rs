//! The upgrade passes the suite that every secure upgrade passes, as far as it secures anything.

use sinew_conformance::security::{Subject, check};
use sinew_plaintext::InsecurePlaintext;

#[tokio::test(start_paused = true)]
async fn conforms() {
    check(&Subject::insecure(|key| InsecurePlaintext::new(key.public()))).await;
}
