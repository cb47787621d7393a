//! Writing the message of identify: in parts that every reader takes.

use crate::{
    Message,
    generated::identify::Identify,
    message::{MAX_TEXT, shorten},
};
use bytes::{Bytes, BytesMut};
use prost::Message as _;
use sinew_wire::{Frames, varint};

/// The longest part that is sent. rust-libp2p reads one part, and no longer one.
pub const MAX_SENT_PART: usize = 4 * 1024;

/// Above this length a message is parted, and the signed record follows by itself: what go-libp2p does, for readers of
/// before there were such records.
pub const MAX_SENT_WHOLE: usize = 2 * 1024;

/// The most parts that are sent. go-libp2p takes ten reads for a message, and the last one has to see its end.
const MAX_SENT_PARTS: usize = 9;

/// How much of a first part the listen addresses may take before the protocols come: half, since some readers read no
/// other part.
const MAX_FIRST_ADDRS: usize = MAX_SENT_PART / 2;

impl Message {
    /// Writes the message in parts, each behind its length: one if it is short, else the signed record in the last of
    /// several. What does not fit into as many as readers take is left out: protocols at the end of the list before
    /// addresses at its beginning, and a record that is too long for a part.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut whole = self.scalars();
        whole.signed_peer_record = self.signed_peer_record.clone();
        whole.listen_addrs.clone_from(&self.listen_addrs);
        whole.protocols.clone_from(&self.protocols);
        if whole.encoded_len() <= MAX_SENT_WHOLE {
            let mut out = Parts::default();
            out.push(&whole);
            return out.bytes.freeze();
        }
        self.encode_parts()
    }

    fn encode_parts(&self) -> Bytes {
        let mut packing = Packing::new(self.scalars());
        let split = self.first_addrs();
        self.listen_addrs[..split]
            .iter()
            .for_each(|addr| packing.addr(addr));
        self.protocols
            .iter()
            .for_each(|protocol| packing.protocol(protocol));
        self.listen_addrs[split..]
            .iter()
            .for_each(|addr| packing.addr(addr));
        let mut parts = packing.finish();
        if self.signed_peer_record.is_some() {
            parts.push(&Identify {
                signed_peer_record: self.signed_peer_record.clone(),
                ..Identify::default()
            });
        }
        parts.bytes.freeze()
    }

    fn scalars(&self) -> Identify {
        let short = |text: &Option<String>| text.as_deref().map(|text| shorten(text, MAX_TEXT).to_owned());
        Identify {
            public_key: self.public_key.clone(),
            observed_addr: self.observed_addr.clone(),
            protocol_version: short(&self.protocol_version),
            agent_version: short(&self.agent_version),
            ..Identify::default()
        }
    }

    fn first_addrs(&self) -> usize {
        let sizes = self.listen_addrs.iter().map(|addr| entry_len(addr.len()));
        let sums = sizes.scan(0, |sum, size| {
            *sum += size;
            Some(*sum)
        });
        sums.take_while(|sum| *sum <= MAX_FIRST_ADDRS).count()
    }
}

/// The length of an entry of a list: one byte of key, its length, itself.
fn entry_len(len: usize) -> usize {
    1 + varint::len(len as u64) + len
}

/// Parts behind their lengths.
#[derive(Default)]
struct Parts {
    bytes: BytesMut,
    count: usize,
}

impl Parts {
    /// Adds a part, if it is not too long for readers.
    fn push(&mut self, part: &Identify) {
        if Frames::new(crate::MAX_PART)
            .encode_message(part, &mut self.bytes)
            .is_ok()
        {
            self.count += 1;
        }
    }
}

/// Entries of lists on their way into parts.
struct Packing {
    done: Parts,
    part: Identify,
    len: usize,
}

impl Packing {
    fn new(part: Identify) -> Self {
        let len = part.encoded_len();
        Self {
            done: Parts::default(),
            part,
            len,
        }
    }

    fn addr(&mut self, addr: &Bytes) {
        if self.make_room(addr.len()) {
            self.part.listen_addrs.push(addr.clone());
        }
    }

    fn protocol(&mut self, protocol: &str) {
        if self.make_room(protocol.len()) {
            self.part.protocols.push(protocol.to_owned());
        }
    }

    /// Begins another part if this one is full; `false` when the entry fits into none.
    fn make_room(&mut self, entry: usize) -> bool {
        let entry = entry_len(entry);
        if self.len + entry > MAX_SENT_PART {
            // One place is kept for the part at hand, one for the record.
            if entry > MAX_SENT_PART || self.done.count + 2 >= MAX_SENT_PARTS {
                return false;
            }
            self.done.push(&std::mem::take(&mut self.part));
            self.len = 0;
        }
        self.len += entry;
        true
    }

    fn finish(mut self) -> Parts {
        self.done.push(&self.part);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SENT_PART, MAX_SENT_PARTS, MAX_SENT_WHOLE};
    use crate::Message;
    use bytes::{Bytes, BytesMut};
    use sinew_wire::Frames;

    fn message(protocols: usize, addrs: usize, record: usize) -> Message {
        Message {
            agent_version: Some("sinew/test".into()),
            public_key: Some(Bytes::from(vec![1; 36])),
            listen_addrs: (0..addrs)
                .map(|n| Bytes::from(vec![n.to_le_bytes()[0]; 40]))
                .collect(),
            protocols: (0..protocols)
                .map(|n| format!("/protocol/number/{n:04}"))
                .collect(),
            signed_peer_record: (record > 0).then(|| Bytes::from(vec![2; record])),
            ..Message::default()
        }
    }

    fn parts(message: &Message) -> Vec<Message> {
        let mut bytes = BytesMut::from(&message.encode()[..]);
        let mut parts = Vec::new();
        while let Some(part) = Frames::new(MAX_SENT_PART).decode(&mut bytes).expect("no longer") {
            let mut message = Message::default();
            message.merge(&part).expect("sound");
            parts.push(message);
        }
        assert!(bytes.is_empty());
        parts
    }

    #[test]
    fn a_short_message_is_one_part() {
        let short = message(10, 4, 300);
        assert!(short.encode().len() <= MAX_SENT_WHOLE);
        assert_eq!(parts(&short), [short]);
    }

    #[test]
    fn the_record_of_a_longer_one_comes_last_and_alone() {
        let longer = message(60, 10, 900);
        let [first, last] = parts(&longer).try_into().expect("two parts");
        assert_eq!(last, message_of_record(900));
        assert_eq!((first.protocols.len(), first.listen_addrs.len()), (60, 10));
    }

    fn message_of_record(len: usize) -> Message {
        Message {
            signed_peer_record: Some(Bytes::from(vec![2; len])),
            ..Message::default()
        }
    }

    #[test]
    fn long_lists_go_on_in_further_parts() {
        let long = message(500, 100, 900);
        let parts = parts(&long);
        assert!(parts.len() > 3 && !parts[0].protocols.is_empty() && !parts[0].listen_addrs.is_empty());
        assert_eq!(Message::decode(&long.encode()), Ok(long));
    }

    #[test]
    fn what_no_reader_would_take_is_left_out() {
        let parts = parts(&message(10_000, 10, 900));
        assert_eq!(parts.len(), MAX_SENT_PARTS);
        assert_eq!(parts[MAX_SENT_PARTS - 1], message_of_record(900));
        let too_long = message(1, 1, 9000).encode();
        assert_eq!(
            Message::decode(&too_long).expect("sound").signed_peer_record,
            None
        );
    }
}
