//! Peers and messages of a simulation. Their keys and signatures are none: the model of jobs says what a verification finds.

use sinew_floodsub::{Message, Topic};
use sinew_identity::PeerId;
use sinew_machine::Rng;
use sinew_wire::varint;

/// The length of an Ed25519 signature.
const SIGNATURE: usize = 64;

/// What a forged signature consists of; others consist of zeros.
const FORGED: u8 = 1;

/// The least data of a message: which one it is.
pub(crate) const TAG: usize = size_of::<u64>();

/// The peer of a place; other seeds give other peers.
///
/// # Panics
/// If there are more than four thousand million.
pub(crate) fn peer(rng: &mut Rng, place: usize) -> PeerId {
    let place = u32::try_from(place).expect("not so many nodes");
    let mut bytes = vec![0x12, 32];
    (0..4).for_each(|_| bytes.extend(rng.next_u64().to_be_bytes()));
    bytes[30..].copy_from_slice(&place.to_be_bytes());
    PeerId::from_bytes(&bytes).expect("a SHA-256")
}

/// The place of a peer.
pub(crate) fn place(peer: &PeerId) -> usize {
    let last = peer.as_bytes().last_chunk().expect("made above");
    u32::from_be_bytes(*last) as usize
}

/// A message with a tag in the first bytes of its data, and zeros after it.
pub(crate) fn message(author: &PeerId, tag: u64, topic: &Topic, bytes: usize) -> Message {
    let mut data = tag.to_be_bytes().to_vec();
    data.resize(bytes.max(TAG), 0);
    let number = tag.to_be_bytes();
    build(author.as_bytes(), &data, &number, topic.as_str(), 0)
}

/// A message with the id and the data of another, and a wrong signature.
pub(crate) fn forged(message: &Message) -> Message {
    let from = message.from().unwrap_or_default();
    let number = message.seqno().unwrap_or_default();
    build(from, message.data(), number, message.topic(), FORGED)
}

fn build(from: &[u8], data: &[u8], number: &[u8], topic: &str, signature: u8) -> Message {
    let signature = [signature; SIGNATURE];
    let mut wire = Vec::with_capacity(data.len() + topic.len() + 2 * SIGNATURE);
    for (field, value) in (1..).zip([from, data, number, topic.as_bytes(), &signature]) {
        wire.push(field << 3 | 2);
        varint::encode(value.len() as u64, &mut wire);
        wire.extend_from_slice(value);
    }
    Message::decode(wire.into()).expect("written above")
}

/// Whether verifying the signature fails.
pub(crate) fn is_forged(message: &Message) -> bool {
    message
        .signature()
        .is_none_or(|signature| signature.contains(&FORGED))
}

/// The tag of a message.
pub(crate) fn tag(message: &Message) -> Option<usize> {
    let tag = message.data().first_chunk()?;
    usize::try_from(u64::from_be_bytes(*tag)).ok()
}

#[cfg(test)]
mod tests {
    use super::{forged, is_forged, message, peer, place, tag};
    use sinew_floodsub::{MessageId, SignaturePolicy};
    use sinew_machine::Rng;

    #[test]
    fn messages_look_signed() {
        let topic = "t".parse().expect("a topic");
        let author = peer(&mut Rng::new(1), 70_000);
        assert_eq!(place(&author), 70_000);
        let honest = message(&author, 5, &topic, 100);
        let twin = forged(&honest);
        for message in [&honest, &twin] {
            assert!(SignaturePolicy::StrictSign.admit(message).is_ok());
            assert_eq!((tag(message), message.data().len()), (Some(5), 100));
            assert_eq!(message.from(), Some(author.as_bytes()));
        }
        assert!(!is_forged(&honest) && is_forged(&twin));
        assert_eq!(MessageId::of(&honest), MessageId::of(&twin));
    }
}
