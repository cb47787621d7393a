//! Noise (payload, handshake, transport phase) of `sinew-noise`, the exchange of `sinew-plaintext`, the certificate of
//! `sinew-tls`, and the key files of `sinew-pnet`.

use std::io::IoSlice;

use sinew_crypto::x25519::Secret;
use sinew_identity::Keypair;
use sinew_noise::machine::{FrameError, Handshake, Inbound, Next, Outbound, Payload, StaticKey};
use sinew_plaintext::exchange;
use sinew_pnet::PreSharedKey;

/// The private key `ed25519-a` of the byte vectors: seed, then public key.
const IDENTITY: &[u8] = b"\x08\x01\x12\x40\
    \x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
    \x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20\
    \x79\xb5\x56\x2e\x8f\xe6\x54\xf9\x40\x78\xb1\x12\xe8\xa9\x8b\xa7\
    \x90\x1f\x85\x3a\xe6\x95\xbe\xd7\xe0\xe3\x91\x0b\xad\x04\x96\x64";

/// Lists are bounded, and a signature can be looked at whatever the key.
pub(crate) fn noise_payload(data: &[u8]) {
    if let Ok(payload) = Payload::decode(data.to_vec()) {
        assert!(payload.muxers.len() <= 64 && payload.certhashes.len() <= 64);
        let _ = payload.verify(&[1; 32]);
    }
}

/// No message of a stranger ends the handshake well: its keys are fixed here, and no input knows them. The first byte
/// chooses our side, the second where one message ends and the next begins.
pub(crate) fn noise_handshake(data: &[u8]) {
    let [role, cut, messages @ ..] = data else { return };
    let identity = Keypair::from_protobuf(IDENTITY).expect("a key of the byte vectors");
    let local = StaticKey::new(Secret::from_bytes([1; 32]), &identity).expect("the key is in the process");
    let mut handshake = Handshake::new(
        role & 1 == 0,
        &local,
        Secret::from_bytes([2; 32]),
        None,
        Vec::new(),
    );
    let (first, second) = messages.split_at(messages.len().min(usize::from(*cut)));
    let mut messages = [first, second].into_iter();
    loop {
        match handshake.proceed() {
            Ok(Next::Receive { max }) => {
                let Some(message) = messages.next() else { return };
                let message = &message[..message.len().min(max)];
                if handshake.receive(message).is_err() {
                    return;
                }
            }
            Ok(Next::Send(frame)) => assert!(frame.len() > 2),
            Ok(Next::Done(outcome)) => panic!("{outcome:?} with a stranger"),
            Err(_) => return,
        }
    }
}

/// Whatever is sealed comes out in order, however it is written, carried and read; what is changed on the way does not.
///
/// The input is a script of pairs: what to do, and how much of it.
pub(crate) fn noise_transport(data: &[u8]) {
    let mut outbound = Outbound::new(&[7; 32]);
    let mut inbound = Inbound::with_key(&[7; 32]);
    let (mut written, mut read, mut changed) = (Vec::new(), 0, false);
    for step in data.chunks_exact(2).take(256) {
        let amount = usize::from(step[1]) * [1, 700][usize::from(step[0] >> 7)];
        match step[0] & 3 {
            0 => {
                let text = vec![step[1]; amount];
                let (head, tail) = text.split_at(amount / 3);
                let len = outbound
                    .write(&[IoSlice::new(head), IoSlice::new(tail)])
                    .expect("few frames");
                written.extend_from_slice(&text[..len]);
            }
            1 => carry(&mut outbound, &mut inbound, amount, 0),
            2 => {
                changed |= amount > 0 && !outbound.pending().is_empty();
                carry(&mut outbound, &mut inbound, amount, 1);
            }
            _ => {
                let mut out = vec![0; amount];
                match inbound.read(&mut out) {
                    Ok(len) => {
                        assert_eq!(out[..len], written[read..read + len]);
                        read += len;
                    }
                    Err(FrameError::Forged | FrameError::TooShort(_)) => assert!(changed),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// Moves some sealed bytes to the other side, the last of them changed in the bits of `flip`.
fn carry(outbound: &mut Outbound, inbound: &mut Inbound, amount: usize, flip: u8) {
    let mut bytes = outbound.pending()[..amount.min(outbound.pending().len())].to_vec();
    outbound.sent(bytes.len());
    if let Some(last) = bytes.last_mut() {
        *last ^= flip;
    }
    inbound.push(&bytes);
}

/// What decodes is what the owner of the key says of itself.
pub(crate) fn plaintext_exchange(data: &[u8]) {
    if let Ok(key) = exchange::decode(data.to_vec()) {
        let again = exchange::decode(exchange::encode(&key)).expect("our own message");
        assert_eq!(again, key);
    }
}

/// A certificate is refused or proves one key, the same whenever it is asked for.
pub(crate) fn tls_certificate(bytes: &[u8]) {
    let chain = [rustls_pki_types::CertificateDer::from(bytes)];
    let now = rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_795_737_600));
    if let Ok(key) = sinew_tls::verify(&chain, now) {
        assert_eq!(sinew_tls::peer_key(&chain), Ok(key));
    }
}

/// What is read as a key is written and read as the same one.
pub(crate) fn pnet_key_file(data: &[u8]) {
    if let Ok(key) = PreSharedKey::from_swarm_key(data) {
        let file = key.to_swarm_key();
        let again = PreSharedKey::from_swarm_key(&file).expect("what we write is right");
        assert_eq!(again.to_swarm_key(), file);
    }
}
