//! Certificates of listeners, and whom a dialler believes.

use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use sinew_core::{Blame, Culpable, Listener, Multiaddr, RawConnection, Transport, TransportError};
use sinew_websocket::{Certificate, CertificateError, HandshakeError, WebSocketTransport};

use crate::made::{accept, addr, certificate, dial, handshake_error, listen, pem};

/// A dial of `to`, whatever becomes of it at the listener's end.
async fn meet(
    dialler: &WebSocketTransport,
    listener: &mut dyn Listener,
    to: &Multiaddr,
) -> Result<RawConnection, TransportError> {
    tokio::join!(dial(dialler, to), accept(listener)).0
}

fn named(at: &Multiaddr, name: &str) -> Multiaddr {
    addr(&at.to_string().replace("/tls/ws", &format!("/tls/sni/{name}/ws")))
}

#[tokio::test]
async fn the_name_is_checked_and_the_root() {
    let (ours, root) = certificate(&["example.org"]);
    let transport = WebSocketTransport::new().with_certificate(ours);
    let (mut listener, at) = listen(&transport, "/ip4/127.0.0.1/tcp/0/tls/ws").await;
    let right = named(&at, "example.org");
    let dialler = WebSocketTransport::new().with_roots(vec![root]);
    let connected = meet(&dialler, &mut *listener, &right).await.unwrap();
    assert_eq!(connected.remote, right);
    for (dialler, to) in [
        // Another name, none (so that the certificate would have to be for the IP address), and another root.
        (dialler.clone(), named(&at, "example.com")),
        (dialler.clone(), at.clone()),
        (
            WebSocketTransport::new().with_roots(vec![certificate(&["example.org"]).1]),
            right.clone(),
        ),
    ] {
        let error = meet(&dialler, &mut *listener, &to).await.unwrap_err();
        assert!(
            matches!(handshake_error(&error), HandshakeError::Tls(_)),
            "{error}"
        );
        assert_eq!(error.blame(), Blame::Peer);
    }
    let anybody = WebSocketTransport::new().with_insecure_any_certificate();
    meet(&anybody, &mut *listener, &at).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let write = |(chain_text, key_text): (&str, &str)| {
        std::fs::write(&chain, chain_text).unwrap();
        std::fs::write(&key, key_text).unwrap();
    };
    let (first, second) = (pem(&["example.org"]), pem(&["example.org"]));
    write((&first.0, &first.1));
    let ours = Certificate::from_files(&chain, &key).unwrap();
    let transport = WebSocketTransport::new().with_certificate(ours.clone());
    let (mut listener, at) = listen(&transport, "/ip4/127.0.0.1/tcp/0/tls/ws").await;
    let to = named(&at, "example.org");
    let believes =
        [&first, &second].map(|(_, _, root)| WebSocketTransport::new().with_roots(vec![root.clone()]));
    let kept = meet(&believes[0], &mut *listener, &to).await.unwrap();

    // A key that is not the certificate's changes nothing.
    write((&second.0, &first.1));
    assert!(matches!(ours.reload(), Err(CertificateError::Key(_))));
    meet(&believes[0], &mut *listener, &to).await.unwrap();

    write((&second.0, &second.1));
    ours.reload().unwrap();
    meet(&believes[1], &mut *listener, &to).await.unwrap();
    meet(&believes[0], &mut *listener, &to).await.unwrap_err();
    drop(kept);

    let key = PrivateKeyDer::from_pem_slice(first.1.as_bytes()).unwrap();
    ours.set_certificate(vec![first.2.clone()], key).unwrap();
    meet(&believes[0], &mut *listener, &to).await.unwrap();
}

#[tokio::test]
async fn what_is_no_certificate() {
    let (chain, key, _) = pem(&["example.org"]);
    let from = |chain: &str, key: &str| Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(matches!(from("", &key), CertificateError::Empty));
    assert!(matches!(from(&chain, ""), CertificateError::Pem(_)));
    assert!(matches!(
        Certificate::from_files("/does/not/exist", "/neither").unwrap_err(),
        CertificateError::File { .. }
    ));
    let unread = certificate(&["example.org"]).0.reload().unwrap_err();
    assert!(matches!(unread, CertificateError::NotFromFiles));
    assert_eq!(unread.blame(), Blame::Local);
}

#[tokio::test]
async fn without_a_certificate_secure_addresses_are_not_listened_on() {
    let refused = WebSocketTransport::new()
        .listen(&addr("/ip4/127.0.0.1/tcp/0/wss"))
        .await;
    let Err(error) = refused else {
        panic!("listened");
    };
    assert!(matches!(handshake_error(&error), HandshakeError::NoCertificate));
    assert_eq!(error.blame(), Blame::Local);
}
