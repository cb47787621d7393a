//! The exchange over pipes, and peers that break its rules.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{error::Error, io::ErrorKind, time::Duration};

use proptest::prelude::*;
use sinew_core::{Role, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{Blame, Culpable};
use sinew_plaintext::{ExchangeError, InsecurePlaintext, PROTOCOL, exchange};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn upgrade() -> (InsecurePlaintext, PeerId) {
    let keys = Keypair::generate();
    (InsecurePlaintext::new(keys.public()), keys.peer_id())
}

/// Runs our side against bytes that the other side sends whatever happens.
async fn against(bytes: &[u8], expected: Option<PeerId>) -> Result<Secured, SecurityError> {
    let (ours, mut theirs) = duplex(64 * 1024);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let request = SecureRequest::new(Role::Dialer, expected, vec![]);
    upgrade().0.secure(Box::new(ours), request).await
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    sinew_wire::varint::encode(message.len() as u64, &mut bytes);
    bytes.extend_from_slice(message);
    bytes
}

fn fault(error: &SecurityError) -> &ExchangeError {
    assert_eq!(error.blame(), Blame::Peer);
    match error {
        SecurityError::Handshake(error) => {
            let error: &(dyn Error + 'static) = &**error;
            error.downcast_ref().unwrap()
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn both_sides_send_first_over_the_smallest_pipe() {
    let ((dialer, here), (listener, there)) = (upgrade(), upgrade());
    assert_eq!(dialer.protocol(), PROTOCOL);
    let (left, right) = duplex(1);
    let dial = SecureRequest::new(Role::Dialer, Some(there), vec!["/yamux/1.0.0".into()]);
    let accept = SecureRequest::new(Role::Listener, None, vec!["/yamux/1.0.0".into()]);
    let (dialed, accepted) = tokio::try_join!(
        dialer.secure(Box::new(left), dial),
        listener.secure(Box::new(right), accept)
    )
    .unwrap();
    assert_eq!((dialed.peer, accepted.peer), (there, here));
    assert_eq!((dialed.muxer, accepted.muxer), (None, None));
}

#[tokio::test]
async fn what_follows_the_message_at_once_is_not_lost() {
    let keys = Keypair::generate();
    let bytes = [&framed(&exchange::encode(keys.public()))[..], b"early"].concat();
    let mut secured = against(&bytes, Some(keys.peer_id())).await.unwrap();
    let mut text = Vec::new();
    secured.io.read_to_end(&mut text).await.unwrap();
    assert_eq!(text, b"early");
    assert_eq!(secured.key, *keys.public());
}

#[tokio::test]
async fn another_peer_is_refused() {
    let (keys, expected) = (Keypair::generate(), PeerId::random());
    let error = against(&framed(&exchange::encode(keys.public())), Some(expected))
        .await
        .unwrap_err();
    assert!(matches!(error, SecurityError::WrongPeer { actual, .. } if actual == keys.peer_id()));
}

#[tokio::test]
async fn a_peer_id_that_is_not_the_keys_is_refused() {
    let [first, second] =
        [Keypair::generate(), Keypair::generate()].map(|keys| exchange::encode(keys.public()));
    // Both messages are an id of 40 bytes, then a key of 38.
    let mixed = [&first[..40], &second[40..]].concat();
    let error = against(&framed(&mixed), None).await.unwrap_err();
    assert!(
        matches!(fault(&error), ExchangeError::NotItsKey { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn missing_fields_garbage_and_lengths_beyond_the_bound_are_refused() {
    let whole = exchange::encode(Keypair::generate().public());
    for message in [
        &[][..],
        &whole[..40],
        &whole[40..],
        &[0xff; 20],
        &[0x0a, 0x00, 0x12, 0x00],
    ] {
        let error = against(&framed(message), None).await.unwrap_err();
        assert!(
            matches!(
                fault(&error),
                ExchangeError::Message(_) | ExchangeError::Key(_) | ExchangeError::Id(_)
            ),
            "{error}"
        );
    }
    for length in [&[0x81, 0x20][..], &[0xce, 0x80, 0x00], &[0xff; 10]] {
        let error = against(length, None).await.unwrap_err();
        assert!(matches!(fault(&error), ExchangeError::Frame(_)), "{error}");
    }
}

#[tokio::test]
async fn an_end_inside_the_message_is_a_fault_of_the_network() {
    let whole = framed(&exchange::encode(Keypair::generate().public()));
    for end in 0..whole.len() {
        let error = against(&whole[..end], None).await.unwrap_err();
        assert!(matches!(error, SecurityError::Io(error) if error.kind() == ErrorKind::UnexpectedEof));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_left_by_dropping_the_future() {
    let (ours, mut theirs) = duplex(64 * 1024);
    let (upgrade, _) = upgrade();
    let request = SecureRequest::new(Role::Listener, None, vec![]);
    let secure = upgrade.secure(Box::new(ours), request);
    assert!(
        tokio::time::timeout(Duration::from_secs(10), secure)
            .await
            .is_err()
    );
    let mut sent = Vec::new();
    theirs.read_to_end(&mut sent).await.unwrap();
    assert!(!sent.is_empty(), "our message, and then the end");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = exchange::decode(bytes);
    }

    #[test]
    fn changed_bytes_never_give_another_peer(position in 0..78_usize, bit in 0..8) {
        let mut message = hex::decode(MESSAGE).unwrap();
        let peer = exchange::decode(message.clone()).unwrap().peer_id();
        message[position] ^= 1_u8 << bit;
        if let Ok(key) = exchange::decode(message) {
            prop_assert_eq!(key.peer_id(), peer);
        }
    }
}

/// The message of the key `ed25519-a` of the byte vectors.
const MESSAGE: &str = "0a2600240801122079b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad04966412240801122079b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664";
