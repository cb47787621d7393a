//! Peers that show a bad certificate, talk nonsense, leave early, or say nothing: each gets its clear error.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{error::Error, io, sync::Arc, time::Duration};

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use sinew_core::{Blame, Culpable, Role, SecureRequest, SecureUpgrade, SecurityError};
use sinew_identity::{Keypair, PeerId};
use sinew_tls::{
    Certificate, CertificateError, HandshakeError, RecordError, Tls, Verifier, client_config, server_config,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn tls() -> Tls {
    Tls::new(&Keypair::generate()).unwrap()
}

fn request(role: Role, expected: Option<PeerId>) -> SecureRequest {
    SecureRequest::new(role, expected, vec![])
}

/// A chain that is shown with a key which is not its own.
fn showing(chain: Vec<CertificateDer<'static>>) -> Arc<SingleCertAndKey> {
    let key = rcgen::KeyPair::generate().unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = sinew_crypto::tls::provider().key_provider.load_private_key(key);
    let shown = Arc::new(CertifiedKey::new(chain, key.unwrap()));
    Arc::new(SingleCertAndKey::from(shown))
}

/// Our side of a handshake in which the other side shows `chain`, and how the other side took it.
async fn against_chain(role: Role, chain: Vec<CertificateDer<'static>>) -> (SecurityError, io::Error) {
    let (ours, theirs) = duplex(64 * 1024);
    let (certificate, anybody) = (
        Certificate::new(&Keypair::generate()).unwrap(),
        Verifier::new(None),
    );
    let alpn = vec![b"libp2p".to_vec()];
    let peer = async {
        let mut byte = [0];
        if role == Role::Listener {
            let mut config = client_config(&certificate, anybody, alpn);
            config.client_auth_cert_resolver = showing(chain);
            let name = ServerName::try_from("localhost").unwrap();
            let connecting = TlsConnector::from(Arc::new(config)).connect(name, theirs);
            connecting.await?.read_exact(&mut byte).await
        } else {
            let mut config = server_config(&certificate, anybody, alpn);
            config.cert_resolver = showing(chain);
            let accepting = TlsAcceptor::from(Arc::new(config)).accept(theirs);
            accepting.await?.read_exact(&mut byte).await
        }
    };
    let upgrade = tls();
    let (outcome, peer) = tokio::join!(upgrade.secure(Box::new(ours), request(role, None)), peer);
    (outcome.unwrap_err(), peer.unwrap_err())
}

fn source<E: Error + 'static>(error: &SecurityError) -> &E {
    match error {
        SecurityError::Handshake(error) => {
            let error: &(dyn Error + 'static) = &**error;
            error.downcast_ref().unwrap()
        }
        error => panic!("{error:?}"),
    }
}

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/tls.json")).unwrap()
}

fn chain(entry: &Value) -> Vec<CertificateDer<'static>> {
    let chain = entry["der"].as_array().unwrap().iter();
    chain
        .map(|der| hex::decode(der.as_str().unwrap()).unwrap().into())
        .collect()
}

/// Every certificate that `tests/vectors.rs` refuses is refused in a handshake too, in both roles, and the other side
/// is told.
#[tokio::test]
async fn bad_certificates_end_the_handshake() {
    let now = rustls_pki_types::UnixTime::now();
    let mut refused = 0;
    for entry in vectors() {
        let chain = chain(&entry);
        let Err(expected) = sinew_tls::verify(&chain, now) else {
            continue;
        };
        for role in [Role::Dialer, Role::Listener] {
            let (ours, theirs) = against_chain(role, chain.clone()).await;
            assert_eq!(*source::<CertificateError>(&ours), expected, "{role:?}");
            assert_eq!(ours.blame(), Blame::Peer);
            assert!(theirs.to_string().contains("alert"), "{role:?}: {theirs}");
        }
        refused += 1;
    }
    assert_eq!(refused, 30);
}

#[tokio::test]
async fn a_good_certificate_of_somebody_else_is_of_no_use() {
    let stolen = Certificate::new(&Keypair::generate()).unwrap().der().clone();
    for role in [Role::Dialer, Role::Listener] {
        let (ours, _) = against_chain(role, vec![stolen.clone()]).await;
        assert!(
            matches!(
                source::<HandshakeError>(&ours),
                HandshakeError::Tls(rustls::Error::InvalidCertificate(
                    rustls::CertificateError::BadSignature
                ))
            ),
            "{ours:?}"
        );
    }
}

#[tokio::test]
async fn no_certificate_at_all_is_refused() {
    let (ours, _) = against_chain(Role::Listener, vec![]).await;
    assert!(
        matches!(
            source(&ours),
            HandshakeError::Tls(rustls::Error::NoCertificatesPresented)
        ),
        "{ours:?}"
    );
}

/// The client is done before the server looks at its certificate: it learns of the refusal when it reads.
#[tokio::test]
async fn a_client_learns_that_it_was_refused() {
    let (ours, theirs) = duplex(64 * 1024);
    let (client, server) = (tls(), tls());
    let (ours, theirs) = tokio::join!(
        client.secure(Box::new(ours), request(Role::Dialer, None)),
        server.secure(Box::new(theirs), request(Role::Listener, Some(PeerId::random()))),
    );
    assert!(matches!(theirs.unwrap_err(), SecurityError::WrongPeer { .. }));
    let error = ours.unwrap().io.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    let error = error.into_inner().unwrap();
    assert!(
        matches!(error.downcast_ref(), Some(RecordError::Alert(_))),
        "{error}"
    );
}

/// A secured connection and the raw bytes of its other end, once the handshake is over.
async fn behind_the_handshake() -> (sinew_core::BoxedIo, DuplexStream) {
    let (ours, mut near) = duplex(64 * 1024);
    let (mut far, theirs) = duplex(64 * 1024);
    let (client, server) = (tls(), tls());
    let handshakes = async {
        tokio::try_join!(
            client.secure(Box::new(ours), request(Role::Dialer, None)),
            server.secure(Box::new(theirs), request(Role::Listener, None)),
        )
    };
    let secured = tokio::select! {
        secured = handshakes => secured.unwrap(),
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => panic!("nobody closes"),
    };
    (secured.0.io, near)
}

#[tokio::test]
async fn bytes_that_are_no_records_are_refused_at_once() {
    for (bytes, expected) in [
        (&[0x80][..], "unexpected TLS record of type 128"),
        (&[22], "unexpected TLS record of type 22"),
        (&[23, 3, 4, 0, 1], "TLS record of version [3, 4]"),
        (&[23, 3, 3, 0xff, 0xff], "TLS record of 65535 bytes"),
        (
            &[23, 3, 3, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            "decrypt",
        ),
    ] {
        let (mut secured, mut raw) = behind_the_handshake().await;
        raw.write_all(bytes).await.unwrap();
        let error = secured.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(secured.write_all(b"late").await.is_err());
        assert_eq!(raw.read_u8().await.unwrap(), 23, "the other side is told");
    }
}

#[tokio::test]
async fn an_end_without_a_goodbye_is_an_error() {
    let (mut secured, raw) = behind_the_handshake().await;
    drop(raw);
    let error = secured.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = error.into_inner().unwrap();
    assert_eq!(error.downcast_ref(), Some(&RecordError::Truncated));
}

/// Runs our side against bytes that the other side sends whatever happens.
async fn against_bytes(role: Role, bytes: &[u8]) -> SecurityError {
    let (ours, mut theirs) = duplex(256 * 1024);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    tls()
        .secure(Box::new(ours), request(role, None))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn garbage_ends_the_handshake_at_its_header() {
    for role in [Role::Dialer, Role::Listener] {
        for bytes in [
            &[0x16, 3, 1, 0xff, 0xff][..],
            b"GET / HTTP/1.1",
            &[22, 9, 9, 0, 9],
        ] {
            let error = against_bytes(role, bytes).await;
            assert!(matches!(error, SecurityError::Handshake(_)), "{error:?}");
        }
    }
}

/// A hello that is announced to be endless.
#[tokio::test]
async fn a_handshake_without_end_is_cut() {
    let mut flood = Vec::new();
    for part in 0..8 {
        flood.extend_from_slice(&[22, 3, 3, 0x40, 0]);
        let mut fragment = vec![0; 16 * 1024];
        if part == 0 {
            fragment[..4].copy_from_slice(&[1, 0, 0xff, 0xff]);
        }
        flood.extend_from_slice(&fragment);
    }
    let error = against_bytes(Role::Listener, &flood).await;
    assert!(matches!(source(&error), HandshakeError::TooLong), "{error:?}");
}

#[tokio::test]
async fn an_end_in_the_handshake_is_a_fault_of_the_network() {
    for end in 0..5 {
        let error = against_bytes(Role::Listener, &[22, 3, 1, 1, 0][..end]).await;
        assert!(matches!(&error, SecurityError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof));
        assert_eq!(error.blame(), Blame::Network);
    }
}

/// The deadline is the caller's, and nothing is left behind when it comes.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_waited_for_until_the_caller_has_enough() {
    for role in [Role::Dialer, Role::Listener] {
        let (ours, mut theirs) = duplex(64 * 1024);
        let upgrade = tls();
        let securing = upgrade.secure(Box::new(ours), request(role, None));
        assert!(
            tokio::time::timeout(Duration::from_secs(10), securing)
                .await
                .is_err()
        );
        let mut said = Vec::new();
        theirs.read_to_end(&mut said).await.unwrap();
        assert_eq!(
            said.is_empty(),
            role == Role::Listener,
            "the connection is closed"
        );
    }
}
