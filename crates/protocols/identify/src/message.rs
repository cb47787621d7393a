//! The message of identify: read in parts and merged, every list bounded while it is read.

use bytes::{Bytes, BytesMut};
use sinew_machine::{Blame, Culpable};
use sinew_wire::{
    FrameError, Frames,
    protobuf::{self, Value, WireError},
};
use thiserror::Error;

/// The longest part that is read: the limit of go-libp2p and js-libp2p.
pub const MAX_PART: usize = 8 * 1024;

/// The most parts that are read of one message: the limit of go-libp2p.
pub const MAX_PARTS: usize = 10;

/// The most protocols that are kept; more are passed over, as in go-libp2p.
pub const MAX_PROTOCOLS: usize = 1024;

/// The most listen addresses that are kept; more are passed over. As many as a peer record may have.
pub const MAX_ADDRS: usize = sinew_record::MAX_ADDRS;

/// The most bytes that are kept of the texts by which a peer describes itself. Agents of running networks stay below 100.
pub const MAX_TEXT: usize = 256;

/// What a peer says of itself, as it stands on the wire. What is absent was not said.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Message {
    /// The family of protocols that it belongs to.
    pub protocol_version: Option<String>,
    /// Its implementation, as `name/version`.
    pub agent_version: Option<String>,
    /// Its public key, as a protobuf message.
    pub public_key: Option<Bytes>,
    /// Where it listens, as bytes of multiaddrs.
    pub listen_addrs: Vec<Bytes>,
    /// Where it sees the reader, as bytes of a multiaddr.
    pub observed_addr: Option<Bytes>,
    /// The protocols that it serves.
    pub protocols: Vec<String>,
    /// Its peer record in a signed envelope.
    pub signed_peer_record: Option<Bytes>,
}

/// Why bytes are no message of identify.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A part is too long, or its length is malformed.
    #[error("part of an identify message: {0}")]
    Frame(#[from] FrameError),
    /// A part is not made of protobuf fields.
    #[error("part of an identify message: {0}")]
    Wire(#[from] WireError),
    /// A field has a value of the wrong kind.
    #[error("field {0} of an identify message is of the wrong kind")]
    Field(u32),
    /// There are too many parts.
    #[error("more than {MAX_PARTS} parts of an identify message")]
    TooManyParts,
    /// The stream ended inside a part.
    #[error("an identify message ends inside a part")]
    Truncated,
    /// The stream ended without a part.
    #[error("no identify message at all")]
    Nothing,
}

impl Culpable for MessageError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

impl Message {
    /// Reads all the parts of a message, each behind its length.
    ///
    /// # Errors
    /// [`MessageError`] when the bytes are something else, or end too early.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut reading = Reading::default();
        reading.receive(bytes)?;
        reading.finish()
    }

    /// Reads one part without its length and adds it: single values replace those before them, lists are appended.
    ///
    /// Fields that are not known are passed over, and so are entries beyond [`MAX_PROTOCOLS`] and [`MAX_ADDRS`], and
    /// texts that are not UTF-8.
    ///
    /// # Errors
    /// [`MessageError`] when the part is malformed; some of it may have been added by then.
    pub fn merge(&mut self, part: &[u8]) -> Result<(), MessageError> {
        for field in protobuf::fields(part) {
            let field = field?;
            let Value::Bytes(value) = field.value else {
                if matches!(field.number, 1..=6 | 8) {
                    return Err(MessageError::Field(field.number));
                }
                continue;
            };
            self.take(field.number, value);
        }
        Ok(())
    }

    fn take(&mut self, field: u32, value: &[u8]) {
        // Copied, so that nothing that is kept holds the rest of what was read.
        let bytes = || Some(Bytes::copy_from_slice(value));
        match field {
            1 => self.public_key = bytes(),
            2 if self.listen_addrs.len() < MAX_ADDRS => self.listen_addrs.extend(bytes()),
            3 if self.protocols.len() < MAX_PROTOCOLS => self.protocols.extend(text(value, value.len())),
            4 => self.observed_addr = bytes(),
            5 => self.protocol_version = text(value, MAX_TEXT),
            6 => self.agent_version = text(value, MAX_TEXT),
            8 => self.signed_peer_record = bytes(),
            _ => {}
        }
    }

    /// Takes in a newer message, of which each thing said replaces what was said before.
    ///
    // spec: identify, identify/push: a push may hold only what changed; what is missing in it is left as it was.
    pub fn update(&mut self, newer: Self) {
        let Self {
            protocol_version,
            agent_version,
            public_key,
            listen_addrs,
            observed_addr,
            protocols,
            signed_peer_record,
        } = newer;
        replace(&mut self.protocol_version, protocol_version);
        replace(&mut self.agent_version, agent_version);
        replace(&mut self.public_key, public_key);
        replace(&mut self.observed_addr, observed_addr);
        replace(&mut self.signed_peer_record, signed_peer_record);
        if !listen_addrs.is_empty() {
            self.listen_addrs = listen_addrs;
        }
        if !protocols.is_empty() {
            self.protocols = protocols;
        }
    }
}

fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// The first `max` bytes of a text, or fewer so as not to cut a character.
fn text(value: &[u8], max: usize) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    Some(shorten(text, max).to_owned())
}

/// As much of `text` as [`MAX_TEXT`] allows.
pub(crate) fn shorten(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// A message that is being read, in whatever pieces its bytes arrive.
#[derive(Default, Debug)]
pub struct Reading {
    buffer: BytesMut,
    parts: usize,
    message: Message,
}

impl Reading {
    /// Takes in the next bytes.
    ///
    /// # Errors
    /// [`MessageError`] as soon as they cannot be a part of a message; nothing more should be read then.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), MessageError> {
        self.buffer.extend_from_slice(bytes);
        while let Some(part) = Frames::new(MAX_PART).decode(&mut self.buffer)? {
            if self.parts == MAX_PARTS {
                return Err(MessageError::TooManyParts);
            }
            self.parts += 1;
            self.message.merge(&part)?;
        }
        Ok(())
    }

    /// The message, at the end of the stream.
    ///
    /// # Errors
    /// [`MessageError`] when there is none, or it is not complete.
    pub fn finish(self) -> Result<Message, MessageError> {
        match (self.parts, self.buffer.is_empty()) {
            (_, false) => Err(MessageError::Truncated),
            (0, true) => Err(MessageError::Nothing),
            _ => Ok(self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_ADDRS, MAX_PART, MAX_PARTS, MAX_PROTOCOLS, MAX_TEXT, Message, MessageError, Reading};
    use bytes::BytesMut;
    use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
    use sinew_wire::{Frames, varint};

    /// `parts`, each behind its length.
    fn framed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> BytesMut {
        let mut out = BytesMut::new();
        for part in parts {
            Frames::new(usize::MAX)
                .encode(part, &mut out)
                .expect("no maximum");
        }
        out
    }

    fn entry(field: u32, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        varint::encode(u64::from(field << 3 | 2), &mut out);
        varint::encode(value.len() as u64, &mut out);
        out.extend_from_slice(value);
        out
    }

    #[test]
    fn too_much_is_passed_over() {
        let mut part = Vec::new();
        (0..2000).for_each(|_| part.extend(entry(3, b"/a")));
        let message = Message::decode(&framed([&part[..], &part])).expect("sound");
        assert_eq!(message.protocols.len(), MAX_PROTOCOLS);
        let addrs: Vec<u8> = (0..1000).flat_map(|_| entry(2, b"a")).collect();
        assert_eq!(
            Message::decode(&framed([&addrs[..]]))
                .expect("sound")
                .listen_addrs
                .len(),
            MAX_ADDRS
        );
        let agent = "é".repeat(200);
        let message = Message::decode(&framed([&entry(6, agent.as_bytes())[..]])).expect("sound");
        assert_eq!(message.agent_version.map(|agent| agent.len()), Some(MAX_TEXT));
    }

    #[test]
    fn parts_are_bounded() {
        let empty: &[u8] = &[];
        assert!(Message::decode(&framed([empty; MAX_PARTS])).is_ok());
        assert_eq!(
            Message::decode(&framed([empty; MAX_PARTS + 1])),
            Err(MessageError::TooManyParts)
        );
        let long = vec![0x0a; MAX_PART + 1];
        assert!(matches!(
            Message::decode(&framed([&long[..]])),
            Err(MessageError::Frame(_))
        ));
    }

    #[test]
    fn what_is_no_message() {
        assert_eq!(Message::decode(&[]), Err(MessageError::Nothing));
        assert_eq!(Message::decode(&[5, 0x0a]), Err(MessageError::Truncated));
        assert!(matches!(Message::decode(&[1, 0x07]), Err(MessageError::Wire(_))));
        assert_eq!(Message::decode(&[2, 0x18, 0x01]), Err(MessageError::Field(3)));
        // A field that nobody knows may be of any kind, and text that is none is not said.
        let message = Message::decode(&[5, 0x38, 0x01, 0x32, 0x01, 0xff]).expect("sound");
        assert_eq!(message, Message::default());
    }

    #[test]
    fn an_update_replaces_what_it_says() {
        let mut known = Message {
            agent_version: Some("a/1".into()),
            protocols: vec!["/x".into(), "/y".into()],
            ..Message::default()
        };
        known.update(Message {
            protocols: vec!["/z".into()],
            ..Message::default()
        });
        assert_eq!(known.agent_version.as_deref(), Some("a/1"));
        assert_eq!(known.protocols, ["/z"]);
    }

    fn messages() -> impl Strategy<Value = Message> {
        let bytes = |max| prop::collection::vec(any::<u8>(), 0..max).prop_map(bytes::Bytes::from);
        let scalars = (
            prop::option::of("[a-z/.0-9]{0,40}"),
            prop::option::of("[a-z/.0-9]{0,40}"),
            prop::option::of(bytes(600)),
            prop::option::of(bytes(60)),
            prop::option::of(bytes(3000)),
        );
        let lists = (
            prop::collection::vec(bytes(60), 0..40),
            prop::collection::vec("/[a-z/.0-9]{0,80}", 0..80),
        );
        (scalars, lists).prop_map(|(scalars, (listen_addrs, protocols))| {
            let (protocol_version, agent_version, public_key, observed_addr, signed_peer_record) = scalars;
            Message {
                protocol_version,
                agent_version,
                public_key,
                listen_addrs,
                observed_addr,
                protocols,
                signed_peer_record,
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_written_is_read_in_any_pieces(message in messages(), piece in 1usize..5000) {
            let bytes = message.encode();
            let mut reading = Reading::default();
            for chunk in bytes.chunks(piece) {
                reading.receive(chunk).unwrap();
            }
            prop_assert_eq!(reading.finish().unwrap(), message);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert!(message.protocols.len() <= MAX_PROTOCOLS && message.listen_addrs.len() <= MAX_ADDRS);
            }
        }
    }
}
