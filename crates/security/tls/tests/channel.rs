//! The secured bytes against rustls' own records: new keys, tickets, goodbyes, the muxer that is agreed on.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::Arc;

use rustls_pki_types::ServerName;
use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade, Secured};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::ProtocolId;
use sinew_tls::{Certificate, Tls, Verifier, client_config, server_config};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

const YAMUX: ProtocolId = ProtocolId::from_static("/yamux/1.0.0");
const MPLEX: ProtocolId = ProtocolId::from_static("/mplex/6.7.0");

fn alpn(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn parts() -> (Certificate, Arc<Verifier>) {
    (
        Certificate::new(&Keypair::generate()).unwrap(),
        Verifier::new(None),
    )
}

/// Our listener, and a client of rustls that offers `names`.
async fn with_client(names: &[&str]) -> (Secured, client::TlsStream<DuplexStream>) {
    let (ours, theirs) = duplex(64 * 1024);
    let (certificate, verifier) = parts();
    let config = client_config(&certificate, verifier, alpn(names));
    let name = ServerName::try_from("localhost").unwrap();
    let upgrade = Tls::new(&Keypair::generate()).unwrap();
    let request = SecureRequest::new(Role::Listener, None, vec![YAMUX]);
    let (ours, theirs) = tokio::join!(
        upgrade.secure(Box::new(ours), request),
        TlsConnector::from(Arc::new(config)).connect(name, theirs)
    );
    (ours.unwrap(), theirs.unwrap())
}

/// Our dialler, and a server of rustls that sends as many tickets.
async fn with_server(tickets: usize) -> (Secured, server::TlsStream<DuplexStream>) {
    let (ours, theirs) = duplex(64 * 1024);
    let (certificate, verifier) = parts();
    let mut config = server_config(&certificate, verifier, alpn(&["/yamux/1.0.0", "libp2p"]));
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
    config.send_tls13_tickets = tickets;
    let upgrade = Tls::new(&Keypair::generate()).unwrap();
    let request = SecureRequest::new(Role::Dialer, None, vec![YAMUX]);
    let (ours, theirs) = tokio::join!(
        upgrade.secure(Box::new(ours), request),
        TlsAcceptor::from(Arc::new(config)).accept(theirs)
    );
    (ours.unwrap(), theirs.unwrap())
}

/// Sends `len` bytes from one to the other.
async fn pass(from: &mut (impl AsyncWrite + Unpin), to: &mut (impl AsyncRead + Unpin), len: usize) {
    let sent: Vec<u8> = (0..len).map(|at| (at % 251).try_into().unwrap()).collect();
    let mut received = vec![0; len];
    let sending = async {
        from.write_all(&sent).await?;
        from.flush().await
    };
    tokio::try_join!(sending, to.read_exact(&mut received)).unwrap();
    assert!(sent == received, "other bytes arrive");
}

#[tokio::test]
async fn both_sides_may_change_their_keys() {
    let (ours, mut theirs) = with_client(&["libp2p"]).await;
    let mut ours: BoxedIo = ours.io;
    for _ in 0..3 {
        pass(&mut ours, &mut theirs, 100_000).await;
        // A request: we answer with new keys of our own.
        theirs.get_mut().1.refresh_traffic_keys().unwrap();
        pass(&mut theirs, &mut ours, 100_000).await;
        pass(&mut ours, &mut theirs, 100_000).await;
    }
}

#[tokio::test]
async fn tickets_are_stepped_over() {
    let (ours, mut theirs) = with_server(4).await;
    let mut ours = ours.io;
    pass(&mut theirs, &mut ours, 50_000).await;
    pass(&mut ours, &mut theirs, 50_000).await;
}

#[tokio::test]
async fn a_goodbye_ends_one_direction() {
    let (ours, mut theirs) = with_server(0).await;
    let mut ours = ours.io;
    ours.write_all(b"last words").await.unwrap();
    ours.shutdown().await.unwrap();
    let mut heard = Vec::new();
    theirs.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"last words");
    pass(&mut theirs, &mut ours, 50_000).await;
    theirs.shutdown().await.unwrap();
    assert_eq!(ours.read(&mut [0]).await.unwrap(), 0);
    assert!(ours.write_all(b"late").await.is_err());
}

#[tokio::test]
async fn the_muxer_is_agreed_on_where_both_name_it() {
    for (offered, agreed) in [
        (&["/yamux/1.0.0", "libp2p"][..], Some(YAMUX)),
        (&["/mplex/6.7.0", "/yamux/1.0.0", "libp2p"], Some(YAMUX)),
        (&["/mplex/6.7.0", "libp2p"], None),
        (&["libp2p"], None),
        (&[], None),
    ] {
        let (ours, _) = with_client(offered).await;
        assert_eq!(ours.muxer, agreed, "{offered:?}");
    }
    let (ours, _) = with_server(0).await;
    assert_eq!(ours.muxer, Some(YAMUX));
}

/// The names of a client that speaks nothing of libp2p.
#[tokio::test]
async fn no_protocol_in_common_ends_the_handshake() {
    let (ours, theirs) = duplex(64 * 1024);
    let (certificate, verifier) = parts();
    let config = client_config(&certificate, verifier, alpn(&["h2", MPLEX.as_str()]));
    let name = ServerName::try_from("localhost").unwrap();
    let upgrade = Tls::new(&Keypair::generate()).unwrap();
    let (ours, theirs) = tokio::join!(
        upgrade.secure(
            Box::new(ours),
            SecureRequest::new(Role::Listener, None, vec![YAMUX])
        ),
        TlsConnector::from(Arc::new(config)).connect(name, theirs)
    );
    assert!(format!("{:?}", ours.unwrap_err()).contains("NoApplicationProtocol"));
    assert!(theirs.unwrap_err().to_string().contains("NoApplicationProtocol"));
}

/// What was agreed on besides: the hybrid key exchange, a fast cipher, no name, no ticket.
#[tokio::test]
async fn the_best_that_both_have_is_used() {
    let (_, theirs) = with_client(&["libp2p"]).await;
    let tls = theirs.get_ref().1;
    assert_eq!(tls.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let group = tls.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    let best = sinew_crypto::tls::provider().cipher_suites[0].suite();
    assert_eq!(tls.negotiated_cipher_suite().unwrap().suite(), best);
    let (_, theirs) = with_server(0).await;
    assert_eq!(theirs.get_ref().1.server_name(), None);
}

/// Every kind of host key makes a certificate that proves it.
#[tokio::test]
async fn every_kind_of_key_proves_its_peer() {
    let keys = [
        Keypair::generate(),
        Keypair::generate_secp256k1(),
        Keypair::generate_ecdsa(),
        Keypair::generate_rsa(2048).unwrap(),
    ];
    for key in keys {
        let peer: PeerId = key.public().peer_id();
        let certificate = Certificate::new(&key).unwrap();
        let chain = [certificate.der().clone()];
        let now = rustls_pki_types::UnixTime::now();
        assert_eq!(sinew_tls::verify(&chain, now).unwrap().peer_id(), peer);
    }
}
