//! What a peer said of itself, checked against who it has proved to be.

use crate::{MAX_PROTOCOLS, Message};
use bytes::Bytes;
use sinew_addr::Multiaddr;
use sinew_identity::{PeerId, PublicKey};
use sinew_machine::{Blame, ConnectionId, Culpable, ProtocolId};
use sinew_record::{PeerRecord, PeerRecordError};
use std::sync::Arc;
use thiserror::Error;

/// What a peer said of itself. All but the record is a claim.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// The peer.
    pub peer: PeerId,
    /// The connection on which it said so.
    pub connection: ConnectionId,
    /// The key that it proved to have when it connected.
    pub key: PublicKey,
    /// The family of protocols that it belongs to.
    pub protocol_version: Option<Arc<str>>,
    /// Its implementation, as `name/version`.
    pub agent_version: Option<Arc<str>>,
    /// Where it says it listens, without the peer. Addresses that are not understood, or are another peer's, are left out.
    pub listen_addrs: Vec<Multiaddr>,
    /// The protocols that it serves; `None` when it did not say (a push may leave that out).
    pub protocols: Option<Arc<[ProtocolId]>>,
    /// Under which address it sees us.
    pub observed_addr: Option<Multiaddr>,
    /// Its signed peer record.
    pub record: Record,
}

/// The signed peer record of an [`Info`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Record {
    /// The peer sent none.
    Absent,
    /// Signed by the peer, about itself.
    Valid {
        /// The record.
        record: PeerRecord,
        /// Its envelope, as it came.
        envelope: Bytes,
    },
    /// Left aside.
    Refused(Arc<RecordError>),
}

/// Why the signed peer record of a peer is left aside.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is none, or of a form that nobody else reads.
    #[error(transparent)]
    Record(#[from] PeerRecordError),
    /// It is the record of another peer.
    #[error("the peer sent the record of {0} as its own")]
    OtherPeer(PeerId),
}

impl Culpable for RecordError {
    fn blame(&self) -> Blame {
        match self {
            Self::Record(error) => error.blame(),
            Self::OtherPeer(_) => Blame::Peer,
        }
    }
}

/// The peer says it has another key than the one it proved to have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{proved} says that its key is that of {claimed}")]
#[non_exhaustive]
pub struct WrongKey {
    /// Who it proved to be.
    pub proved: PeerId,
    /// Whose key it sent.
    pub claimed: PeerId,
}

impl Culpable for WrongKey {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Whether a message is all that there is to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// The answer to a request: no protocols means that none are served.
    Whole,
    /// A push: what is absent has not changed.
    Changes,
}

impl Info {
    /// Checks what the holder of `key` said on `connection`.
    ///
    /// # Errors
    /// [`WrongKey`] when it claims another key. An absent key, and one that cannot be read, are no claim.
    pub fn check(
        message: Message,
        key: &PublicKey,
        connection: ConnectionId,
        extent: Extent,
    ) -> Result<Self, WrongKey> {
        let peer = key.peer_id();
        check_key(message.public_key.as_deref(), key)?;
        let said = extent == Extent::Whole || !message.protocols.is_empty();
        let decoded = message
            .listen_addrs
            .iter()
            .filter_map(|addr| own_addr(addr, peer));
        Ok(Self {
            peer,
            connection,
            key: key.clone(),
            protocol_version: message.protocol_version.map(Into::into),
            agent_version: message.agent_version.map(Into::into),
            listen_addrs: decoded.collect(),
            protocols: said.then(|| protocols(message.protocols)),
            observed_addr: message
                .observed_addr
                .and_then(|addr| sinew_addr::decode(&addr).ok())
                .map(|addr| sinew_addr::split_peer(&addr).0),
            record: Record::check(message.signed_peer_record, peer),
        })
    }

    /// The addresses under which the peer says it can be dialled: those it signed, else those it says it listens on.
    /// Which of them a node takes its word for is for the host to decide.
    #[must_use]
    pub fn addrs(&self) -> Vec<Multiaddr> {
        match &self.record {
            Record::Valid { record, .. } => {
                let signed = record.addrs().iter();
                signed.filter_map(|addr| without_peer(addr, self.peer)).collect()
            }
            _ => self.listen_addrs.clone(),
        }
    }
}

fn check_key(claimed: Option<&[u8]>, proved: &PublicKey) -> Result<(), WrongKey> {
    // spec: identify, publicKey: the key of the peer, in the form of the peer-ids specification. js-libp2p writes ECDSA keys
    // in another form: what cannot be read claims nothing.
    let Some(claimed) = claimed.and_then(|bytes| PublicKey::from_protobuf(bytes).ok()) else {
        return Ok(());
    };
    if claimed == *proved {
        return Ok(());
    }
    Err(WrongKey {
        proved: proved.peer_id(),
        claimed: claimed.peer_id(),
    })
}

fn own_addr(bytes: &[u8], peer: PeerId) -> Option<Multiaddr> {
    without_peer(&sinew_addr::decode(bytes).ok()?, peer)
}

/// An address without its own peer at the end; `None` when it is another peer's, or nothing is left.
fn without_peer(addr: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    let (addr, named) = sinew_addr::split_peer(addr);
    (named.is_none_or(|named| named == peer) && !addr.is_empty()).then_some(addr)
}

fn protocols(names: Vec<String>) -> Arc<[ProtocolId]> {
    let names = names.into_iter().filter(|name| !name.is_empty());
    names.take(MAX_PROTOCOLS).map(ProtocolId::from).collect()
}

impl Record {
    fn check(envelope: Option<Bytes>, peer: PeerId) -> Self {
        let Some(envelope) = envelope else {
            return Self::Absent;
        };
        match PeerRecord::open(&envelope) {
            Ok(record) if record.peer() == peer => Self::Valid { record, envelope },
            Ok(record) => Self::Refused(Arc::new(RecordError::OtherPeer(record.peer()))),
            Err(error) => Self::Refused(Arc::new(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, Info, Record, RecordError};
    use crate::Message;
    use bytes::Bytes;
    use sinew_addr::{Multiaddr, join_peer, parse};
    use sinew_identity::Keypair;
    use sinew_machine::{Blame, ConnectionId, Culpable};
    use sinew_record::PeerRecord;

    const ID: ConnectionId = ConnectionId(1);

    fn addr(text: &str) -> Multiaddr {
        parse(text).expect("an address")
    }

    fn listening(addrs: &[Multiaddr]) -> Message {
        Message {
            listen_addrs: addrs.iter().map(|addr| addr.to_vec().into()).collect(),
            ..Message::default()
        }
    }

    fn check(message: Message, key: &Keypair) -> Info {
        Info::check(message, key.public(), ID, Extent::Whole).expect("no wrong key")
    }

    fn with_key(key: Option<Vec<u8>>) -> Message {
        Message {
            public_key: key.map(Bytes::from),
            ..Message::default()
        }
    }

    #[test]
    fn another_key_is_a_lie_and_no_key_is_none() {
        let (own, other) = (Keypair::generate(), Keypair::generate());
        for said in [
            None,
            Some(own.public().to_protobuf()),
            Some(vec![8, 1, 18, 1, 0]),
            Some(vec![]),
        ] {
            check(with_key(said), &own);
        }
        let lie = with_key(Some(other.public().to_protobuf()));
        let wrong = Info::check(lie, own.public(), ID, Extent::Whole).expect_err("a lie");
        assert_eq!(
            (wrong.proved, wrong.claimed),
            (own.public().peer_id(), other.public().peer_id())
        );
        assert_eq!(wrong.blame(), Blame::Peer);
    }

    #[test]
    fn only_a_record_by_the_peer_about_itself_counts() {
        let (own, other) = (Keypair::generate(), Keypair::generate());
        let signed = addr("/ip4/9.9.9.9/tcp/1");
        let message = |envelope: Vec<u8>| Message {
            signed_peer_record: Some(envelope.into()),
            ..listening(&[addr("/ip4/8.8.8.8/tcp/1")])
        };
        let seal = |key: &Keypair| PeerRecord::seal(key, 7, std::slice::from_ref(&signed)).expect("sealed");
        let info = check(message(seal(&own)), &own);
        assert!(matches!(&info.record, Record::Valid { record, .. } if record.seq() == 7));
        assert_eq!(info.addrs(), std::slice::from_ref(&signed));
        let info = check(message(seal(&other)), &own);
        assert!(
            matches!(&info.record, Record::Refused(error) if matches!(**error, RecordError::OtherPeer(_)))
        );
        assert_eq!(info.addrs(), [addr("/ip4/8.8.8.8/tcp/1")]);
        let mut forged = seal(&own);
        *forged.last_mut().expect("bytes") ^= 1;
        let info = check(message(forged), &own);
        assert!(matches!(&info.record, Record::Refused(error) if error.blame() == Blame::Peer));
    }

    #[test]
    fn addresses_lose_their_own_peer_and_others_are_left_out() {
        let (own, other) = (
            Keypair::generate().public().peer_id(),
            Keypair::generate().public().peer_id(),
        );
        let key = Keypair::generate();
        let mine = join_peer(addr("/ip4/8.8.8.8/tcp/1"), &key.public().peer_id()).expect("no peer yet");
        let theirs = join_peer(addr("/ip4/8.8.8.8/tcp/2"), &own).expect("no peer yet");
        let relayed = addr(&format!("/ip4/8.8.8.8/tcp/3/p2p/{other}/p2p-circuit"));
        let mut message = listening(&[mine, theirs, relayed.clone()]);
        message.listen_addrs.push(Bytes::from_static(b"\xff\xff"));
        let info = check(message, &key);
        assert_eq!(info.listen_addrs, [addr("/ip4/8.8.8.8/tcp/1"), relayed]);
    }

    #[test]
    fn a_push_without_protocols_says_nothing_of_them() {
        let key = Keypair::generate();
        let info = |extent| Info::check(Message::default(), key.public(), ID, extent).expect("no key");
        assert_eq!(info(Extent::Whole).protocols.as_deref(), Some(&[][..]));
        assert_eq!(info(Extent::Changes).protocols, None);
    }
}
