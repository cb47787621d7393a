//! Peers that break the rules: each is refused with an error that says why, and costs no more than its own connection.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{error::Error, io::ErrorKind, sync::Arc, time::Duration};

use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_crypto::x25519::Secret;
use sinew_identity::{Keypair, PeerId};
use sinew_machine::{Blame, Culpable, ProtocolId};
use sinew_noise::{
    Noise,
    machine::{FrameError, Handshake, HandshakeError, Keys, Next, Outbound, Payload, StaticKey, Xx},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const YAMUX: ProtocolId = ProtocolId::from_static("/yamux/1.0.0");

fn request(role: Role, expected: Option<PeerId>) -> SecureRequest {
    SecureRequest::new(role, expected, vec![YAMUX])
}

/// Runs our side against bytes that the other side sends whatever happens.
async fn against(role: Role, bytes: &[u8]) -> SecurityError {
    let (ours, mut theirs) = duplex(64 * 1024);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let noise = Noise::new(&Keypair::generate()).unwrap();
    noise
        .secure(Box::new(ours), request(role, None))
        .await
        .unwrap_err()
}

fn fault(error: &SecurityError) -> &HandshakeError {
    match error {
        SecurityError::Handshake(error) => {
            let error: &(dyn Error + 'static) = &**error;
            error.downcast_ref().unwrap()
        }
        error => panic!("{error:?}"),
    }
}

/// A message behind its length.
fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap();
    [&len.to_be_bytes()[..], message].concat()
}

fn xx(initiator: bool) -> Xx {
    Xx::new(initiator, &Arc::new(Secret::generate()), Secret::generate(), b"")
}

async fn read_frame(io: &mut DuplexStream) -> Vec<u8> {
    let mut message = vec![0; usize::from(io.read_u16().await.unwrap())];
    io.read_exact(&mut message).await.unwrap();
    message
}

#[tokio::test]
async fn an_end_anywhere_in_the_handshake_is_a_fault_of_the_network() {
    let hello = xx(true).write(b"").unwrap();
    for end in 0..hello.len() {
        let error = against(Role::Listener, &hello[..end]).await;
        assert!(matches!(&error, SecurityError::Io(error) if error.kind() == ErrorKind::UnexpectedEof));
        assert_eq!(error.blame(), Blame::Network);
    }
}

#[tokio::test]
async fn a_length_beyond_the_bound_is_refused_before_its_bytes() {
    for (role, max) in [(Role::Listener, 1024), (Role::Dialer, 8 * 1024 + 96)] {
        let announced = u16::try_from(max + 1).unwrap().to_be_bytes();
        let error = against(role, &announced).await;
        assert!(
            matches!(*fault(&error), HandshakeError::TooLong { len, max: bound } if len == max + 1 && bound == max)
        );
        assert_eq!(error.blame(), Blame::Peer);
    }
}

#[tokio::test]
async fn garbage_is_refused_at_the_end_of_its_message() {
    for role in [Role::Listener, Role::Dialer] {
        for len in [0, 1, 31] {
            let error = against(role, &framed(&vec![0x5a; len])).await;
            assert!(
                matches!(fault(&error), HandshakeError::Noise(_)),
                "{role:?} {len}: {error}"
            );
        }
    }
    let error = against(Role::Dialer, &framed(&[0x5a; 300])).await;
    assert!(
        matches!(fault(&error), HandshakeError::Noise(snow::Error::Decrypt)),
        "{error}"
    );
}

#[tokio::test]
async fn keys_of_low_order_are_refused() {
    let mut one = [0; 32];
    one[0] = 1;
    for point in [[0; 32], one] {
        let error = against(Role::Listener, &framed(&point)).await;
        assert!(
            matches!(fault(&error), HandshakeError::Noise(snow::Error::Dh)),
            "{error}"
        );
        let answer = [&point[..], &[0x5a; 200]].concat();
        let error = against(Role::Dialer, &framed(&answer)).await;
        assert!(
            matches!(fault(&error), HandshakeError::Noise(snow::Error::Dh)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_first_message_may_carry_a_little_more_than_its_key() {
    let (ours, mut theirs) = duplex(64 * 1024);
    let noise = Noise::new(&Keypair::generate()).unwrap();
    let mut initiator = xx(true);
    theirs
        .write_all(&initiator.write(&[7; 500]).unwrap())
        .await
        .unwrap();
    let run = tokio::join!(
        noise.secure(Box::new(ours), request(Role::Listener, None)),
        async {
            let answer = read_frame(&mut theirs).await;
            initiator.read(&answer).unwrap();
            drop(theirs);
        }
    );
    assert!(
        matches!(run.0.unwrap_err(), SecurityError::Io(_)),
        "our answer was sent, theirs never came"
    );
}

#[tokio::test]
async fn another_peer_is_refused_before_it_learns_who_we_are() {
    let (ours, mut theirs) = duplex(64 * 1024);
    let (wanted, other) = (PeerId::random(), Keypair::generate());
    let noise = Noise::new(&Keypair::generate()).unwrap();
    let local = StaticKey::new(Secret::generate(), &other).unwrap();
    let mut responder = Handshake::new(false, &local, Secret::generate(), None, vec![]);
    let (result, ()) = tokio::join!(
        noise.secure(Box::new(ours), request(Role::Dialer, Some(wanted))),
        async {
            responder.proceed().unwrap();
            responder.receive(&read_frame(&mut theirs).await).unwrap();
            let Next::Send(answer) = responder.proceed().unwrap() else {
                panic!("the answer is due")
            };
            theirs.write_all(&answer).await.unwrap();
            let mut rest = Vec::new();
            theirs.read_to_end(&mut rest).await.unwrap();
            assert!(rest.is_empty(), "no third message");
        }
    );
    let error = result.unwrap_err();
    assert!(
        matches!(error, SecurityError::WrongPeer { expected, actual } if expected == wanted && actual == other.peer_id())
    );
    assert_eq!(error.blame(), Blame::Peer);
}

/// What an honest victim sends to whoever asks, taken by an attacker with a static key of its own.
fn stolen_payload(victim: &Keypair) -> Vec<u8> {
    let local = StaticKey::new(Secret::generate(), victim).unwrap();
    let mut responder = Handshake::new(false, &local, Secret::generate(), None, vec![YAMUX]);
    let mut attacker = xx(true);
    responder.proceed().unwrap();
    responder.receive(&attacker.write(b"").unwrap()[2..]).unwrap();
    let Next::Send(answer) = responder.proceed().unwrap() else {
        panic!("the answer is due")
    };
    attacker.read(&answer[2..]).unwrap()
}

#[test]
fn a_stolen_signature_proves_nothing() {
    let victim = Keypair::generate();
    let local = StaticKey::new(Secret::generate(), &Keypair::generate()).unwrap();
    let mut initiator = Handshake::new(true, &local, Secret::generate(), Some(victim.peer_id()), vec![]);
    let mut attacker = xx(false);
    let Next::Send(hello) = initiator.proceed().unwrap() else {
        panic!("the first message is due")
    };
    attacker.read(&hello[2..]).unwrap();
    let answer = attacker.write(&stolen_payload(&victim)).unwrap();
    let error = initiator.receive(&answer[2..]).unwrap_err();
    assert!(matches!(error, HandshakeError::Signature), "{error}");
}

#[test]
fn lists_are_bounded() {
    let victim = Keypair::generate();
    let honest = stolen_payload(&victim);
    let with = |entries: usize, field: u8| {
        let list = [field << 3 | 2, 1, b'/'].repeat(entries);
        let mut bytes = honest.clone();
        bytes.truncate(bytes.len() - 16); // without the extensions that were there: tag, length, one muxer
        bytes.push(4 << 3 | 2);
        bytes.extend([
            u8::try_from(list.len() % 128).unwrap() | 0x80,
            u8::try_from(list.len() / 128).unwrap(),
        ]);
        bytes.extend(list);
        bytes
    };
    for field in [1, 2] {
        Payload::decode(with(64, field)).unwrap();
        let error = Payload::decode(with(65, field)).unwrap_err();
        assert!(matches!(error, HandshakeError::Payload(_)), "{error}");
    }
    assert!(matches!(
        Payload::decode(vec![0; 9 * 1024]),
        Err(HandshakeError::Payload(_))
    ));
}

#[tokio::test]
async fn without_a_muxer_in_common_both_sides_refuse() {
    let (ours, theirs) = duplex(64 * 1024);
    let noise = Noise::new(&Keypair::generate()).unwrap();
    let mplex = SecureRequest::new(Role::Listener, None, vec!["/mplex/6.7.0".into()]);
    let (dialed, accepted) = tokio::join!(
        noise.secure(Box::new(ours), request(Role::Dialer, None)),
        noise.secure(Box::new(theirs), mplex)
    );
    assert!(matches!(
        fault(&dialed.unwrap_err()),
        HandshakeError::NoCommonMuxer
    ));
    assert!(matches!(accepted.unwrap_err(), SecurityError::Io(_)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_left_by_dropping_the_future() {
    let (ours, mut theirs) = duplex(64 * 1024);
    let noise = Noise::new(&Keypair::generate()).unwrap();
    let secure = noise.secure(Box::new(ours), request(Role::Listener, None));
    assert!(
        tokio::time::timeout(Duration::from_secs(10), secure)
            .await
            .is_err()
    );
    assert_eq!(
        theirs.read(&mut [0; 1]).await.unwrap(),
        0,
        "the connection is closed"
    );
}

/// A secured connection of ours, and the bare other end with the keys of the transport phase.
async fn established() -> (Secured, DuplexStream, Keys) {
    let (ours, mut theirs) = duplex(64 * 1024);
    let noise = Noise::new(&Keypair::generate()).unwrap();
    let local = StaticKey::new(Secret::generate(), &Keypair::generate()).unwrap();
    let mut initiator = Handshake::new(true, &local, Secret::generate(), None, vec![]);
    let peer = async {
        loop {
            match initiator.proceed().unwrap() {
                Next::Send(frame) => theirs.write_all(&frame).await.unwrap(),
                Next::Receive { .. } => initiator.receive(&read_frame(&mut theirs).await).unwrap(),
                Next::Done(outcome) => break outcome.keys,
            }
        }
    };
    let (secured, keys) = tokio::join!(noise.secure(Box::new(ours), request(Role::Listener, None)), peer);
    (secured.unwrap(), theirs, keys)
}

fn sealed(key: &[u8; 32], texts: &[&[u8]]) -> Vec<u8> {
    let mut outbound = Outbound::new(key);
    for text in texts {
        outbound.write(&[std::io::IoSlice::new(text)]).unwrap();
    }
    outbound.pending().to_vec()
}

async fn next_error(io: &mut BoxedIo) -> std::io::Error {
    io.read(&mut [0; 64]).await.unwrap_err()
}

fn cause(error: &std::io::Error) -> FrameError {
    *error.get_ref().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn changed_bytes_end_the_connection_for_good() {
    let (mut secured, mut theirs, keys) = established().await;
    let mut wire = sealed(&keys.send, &[b"good", b"bad", b"never seen"]);
    wire[2 + 4 + 16 + 2] ^= 1;
    theirs.write_all(&wire).await.unwrap();
    let mut text = [0; 4];
    secured.io.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"good", "what came before the change is believed");
    for _ in 0..2 {
        let error = next_error(&mut secured.io).await;
        assert_eq!(
            (error.kind(), cause(&error)),
            (ErrorKind::InvalidData, FrameError::Forged)
        );
        assert_eq!(cause(&error).blame(), Blame::Peer);
    }
}

#[tokio::test]
async fn a_replayed_frame_is_refused() {
    let (mut secured, mut theirs, keys) = established().await;
    let wire = sealed(&keys.send, &[b"once"]);
    theirs.write_all(&[&wire[..], &wire].concat()).await.unwrap();
    secured.io.read_exact(&mut [0; 4]).await.unwrap();
    assert_eq!(cause(&next_error(&mut secured.io).await), FrameError::Forged);
}

#[tokio::test]
async fn a_frame_without_room_for_a_tag_is_refused_at_its_length() {
    let (mut secured, mut theirs, _) = established().await;
    theirs.write_all(&15_u16.to_be_bytes()).await.unwrap();
    assert_eq!(
        cause(&next_error(&mut secured.io).await),
        FrameError::TooShort(15)
    );
}

#[tokio::test]
async fn an_end_inside_a_frame_is_no_end() {
    let (mut secured, mut theirs, keys) = established().await;
    let wire = sealed(&keys.send, &[b"whole", b"cut"]);
    theirs.write_all(&wire[..wire.len() - 1]).await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut text = [0; 5];
    secured.io.read_exact(&mut text).await.unwrap();
    let error = next_error(&mut secured.io).await;
    assert_eq!(
        (error.kind(), cause(&error)),
        (ErrorKind::UnexpectedEof, FrameError::Truncated)
    );
}

#[tokio::test]
async fn an_end_between_frames_is_an_end() {
    let (mut secured, mut theirs, keys) = established().await;
    theirs.write_all(&sealed(&keys.send, &[b"all"])).await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut text = Vec::new();
    secured.io.read_to_end(&mut text).await.unwrap();
    assert_eq!(text, b"all");
}

#[tokio::test]
async fn empty_frames_are_borne_for_a_while() {
    let (mut secured, mut theirs, keys) = established().await;
    let key = sinew_crypto::aead::Key::noise(&keys.send);
    let empty = |counter| framed(&key.seal_in_place(counter, b"", &mut []));
    let mut wire: Vec<u8> = (0..1_000).flat_map(empty).collect();
    let mut text = *b"text";
    let tag = key.seal_in_place(1_000, b"", &mut text);
    wire.extend(framed(&[&text[..], &tag].concat()));
    theirs.write_all(&wire).await.unwrap();
    let mut read = [0; 4];
    secured.io.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"text");
    theirs.write_all(&empty(1_001)).await.unwrap();
    assert_eq!(cause(&next_error(&mut secured.io).await), FrameError::EmptyFlood);
}
