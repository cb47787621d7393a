//! The roots of the platform count where no others are given. Which they are is a matter of a process's environment, so a
//! second process dials.

use std::{env, path::Path, process::Output};

use sinew_websocket::{Certificate, WebSocketTransport};

use crate::made::{accept, addr, dial, listen, pem};

/// Tells the second process where to dial.
const DIAL: &str = "SINEW_TEST_DIAL";

#[tokio::test]
async fn a_server_that_the_platform_trusts_is_believed_and_no_other() {
    if let Ok(to) = env::var(DIAL) {
        dial(&WebSocketTransport::new(), &addr(&to)).await.unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [ours, other] = ["ours.pem", "other.pem"].map(|name| folder.path().join(name));
    let (chain, key, _) = pem(&["example.org"]);
    std::fs::write(&ours, &chain).unwrap();
    std::fs::write(&other, pem(&["example.org"]).0).unwrap();
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();

    let believes = dialled_by_another(certificate.clone(), &ours).await;
    assert!(believes.status.success(), "{}", told(&believes));
    let refuses = dialled_by_another(certificate, &other).await;
    assert!(!refuses.status.success());
    assert!(
        told(&refuses).contains("InvalidCertificate"),
        "{}",
        told(&refuses)
    );
}

/// Listens with a certificate, and has a process dial for which the certificates in a file are the platform's roots.
async fn dialled_by_another(certificate: Certificate, roots: &Path) -> Output {
    let transport = WebSocketTransport::new().with_certificate(certificate);
    let (mut listener, at) = listen(&transport, "/ip4/127.0.0.1/tcp/0/tls/ws").await;
    let to = at.to_string().replace("/tls/ws", "/tls/sni/example.org/ws");
    let mut second = std::process::Command::new(env::current_exe().expect("a test is a program"));
    let name = "platform::a_server_that_the_platform_trusts_is_believed_and_no_other";
    second
        .args(["--exact", name, "--nocapture"])
        .env(DIAL, to)
        .env("SSL_CERT_FILE", roots)
        .env_remove("SSL_CERT_DIR");
    let dialling = tokio::task::spawn_blocking(move || second.output());
    let (output, _) = tokio::join!(dialling, accept(&mut *listener));
    output.expect("it did not panic").expect("the process ran")
}

fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|text| String::from_utf8_lossy(text))
        .concat()
}
