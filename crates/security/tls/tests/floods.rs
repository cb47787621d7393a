//! Peers that talk without end: in the handshake, where each is cut before it has cost anything, and behind it.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls_pki_types::ServerName;
use sinew_core::{Blame, Culpable, Role, SecureRequest, SecureUpgrade, SecurityError};
use sinew_identity::Keypair;
use sinew_tls::{Certificate, RecordError, Tls, Verifier, client_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, join, sink};
use tokio_rustls::TlsConnector;

/// Records of RFC 8446, section 5.1, before any keys.
const CHANGE_CIPHER_SPEC: &[u8] = &[20, 3, 3, 0, 1, 1];
const USER_CANCELED: &[u8] = &[21, 3, 3, 0, 2, 1, 90];
const EMPTY_HANDSHAKE: &[u8] = &[22, 3, 3, 0, 0];
const EMPTY_TEXT: &[u8] = &[23, 3, 3, 0, 0];
const BYTE_OF_A_HELLO: &[u8] = &[22, 3, 3, 0, 1, 0];

/// A client hello that is announced to take 16 MiB, and a server hello.
const CLIENT_HELLO: &[u8] = &[22, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff];
const SERVER_HELLO: &[u8] = &[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff];

/// The most that is read of a peer before its handshake ends: a flight of 32 KiB, and the read that brought its end.
const MOST: usize = 64 * 1024;

/// How our side ends against a peer that begins so and then repeats itself, and how much of that was read.
async fn against(role: Role, begins: &[u8], repeats: &[u8]) -> (SecurityError, usize) {
    let (ours, theirs) = duplex(1024);
    // What we say vanishes: this peer only talks.
    let ours = join(ours, sink());
    let read = AtomicUsize::new(0);
    let flooding = async {
        let (mut theirs, mut next) = (theirs, begins);
        while read.load(Ordering::Relaxed) <= MOST && theirs.write_all(next).await.is_ok() {
            read.fetch_add(next.len(), Ordering::Relaxed);
            next = repeats;
        }
    };
    let upgrade = Tls::new(&Keypair::generate()).unwrap();
    let securing = upgrade.secure(Box::new(ours), SecureRequest::new(role, None, vec![]));
    let (outcome, ()) = tokio::join!(securing, flooding);
    (outcome.unwrap_err(), read.into_inner())
}

#[tokio::test]
async fn a_flood_ends_the_handshake() {
    for role in [Role::Dialer, Role::Listener] {
        let hello = match role {
            Role::Dialer => SERVER_HELLO,
            Role::Listener => CLIENT_HELLO,
        };
        for (begins, repeats) in [
            (&[][..], CHANGE_CIPHER_SPEC),
            (&[], USER_CANCELED),
            (&[], EMPTY_HANDSHAKE),
            (&[], EMPTY_TEXT),
            (hello, BYTE_OF_A_HELLO),
            (hello, EMPTY_HANDSHAKE),
            (hello, CHANGE_CIPHER_SPEC),
        ] {
            let (error, read) = against(role, begins, repeats).await;
            assert_eq!(error.blame(), Blame::Peer, "{role:?}, {repeats:?}: {error}");
            assert!(read <= MOST, "{role:?}, {repeats:?}: {read} bytes were read");
        }
    }
}

/// New keys without end, each with a request for new ones of ours: nothing is answered, and the peer is cut.
#[tokio::test]
async fn a_flood_of_key_updates_ends_the_connection() {
    let (ours, theirs) = duplex(64 * 1024);
    let certificate = Certificate::new(&Keypair::generate()).unwrap();
    let config = client_config(&certificate, Verifier::new(None), vec![b"libp2p".to_vec()]);
    let name = ServerName::try_from("localhost").unwrap();
    let upgrade = Tls::new(&Keypair::generate()).unwrap();
    let (ours, theirs) = tokio::join!(
        upgrade.secure(Box::new(ours), SecureRequest::new(Role::Listener, None, vec![])),
        TlsConnector::from(Arc::new(config)).connect(name, theirs)
    );
    let (mut ours, mut theirs) = (ours.unwrap().io, theirs.unwrap());
    let mut updates = 0;
    let flooding = async {
        loop {
            theirs.get_mut().1.refresh_traffic_keys().unwrap();
            if theirs.flush().await.is_err() {
                break;
            }
            updates += 1;
            tokio::task::yield_now().await;
        }
    };
    let error: io::Error = tokio::select! {
        error = ours.read_u8() => error.unwrap_err(),
        () = flooding => panic!("the connection ends with its reader"),
    };
    let error = error.into_inner().unwrap();
    assert_eq!(error.downcast_ref(), Some(&RecordError::Flood));
    assert!((1000..2000).contains(&updates), "{updates}");
    // All that was said in return is why it ends.
    let told = theirs.read_u8().await.unwrap_err();
    assert!(told.to_string().contains("UnexpectedMessage"), "{told}");
}
