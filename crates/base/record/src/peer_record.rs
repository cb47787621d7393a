//! Peer records (RFC 0003): the addresses that a peer signed as its own.

use prost::Message;
use sinew_addr::Multiaddr;
use sinew_identity::{PeerId, PeerIdError, Signer, SigningError};
use sinew_machine::{Blame, Culpable};
use sinew_wire::protobuf::{self, Bounds, DecodeError};
use thiserror::Error;

use crate::envelope::{Envelope, EnvelopeError, MAX_ENVELOPE, Sealed};
use crate::generated::peer_record::{PeerRecord as Wire, peer_record::AddressInfo};

/// The most addresses in a record, as of those that are made, so of those that are read.
///
/// A host with 32 interface addresses on eight transports has as many; the specification sets no bound.
pub const MAX_ADDRS: usize = 256;

/// Addresses are field 3.
const BOUNDS: Bounds<'static> = Bounds::new(MAX_ENVELOPE, &[(3, MAX_ADDRS)]);

/// The payload type that rust-libp2p's older call writes, from the text of RFC 0003.
const LEGACY_PAYLOAD_TYPE: &[u8] = b"/libp2p/routing-state-record";

/// The addresses that a peer has signed as its own, verified.
///
/// That a peer signed an address does not make it the peer's: it is a claim that costs no more than a dial to refute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRecord {
    peer: PeerId,
    seq: u64,
    addrs: Vec<Multiaddr>,
}

/// Why bytes are not a peer record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerRecordError {
    /// The envelope around it is refused.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A record in the form of RFC 0003's text (domain `libp2p-routing-state`), as rust-libp2p's identify and
    /// rendezvous send it. Nobody else reads it, so it is left aside; not held against the peer.
    #[error("peer record of the old domain libp2p-routing-state")]
    Legacy,
    /// The payload is something else.
    #[error("payload of an envelope is no peer record")]
    PayloadType,
    /// The payload is malformed, too long, or has too many addresses.
    #[error("peer record: {0}")]
    Decode(#[from] DecodeError),
    /// What should be a peer id is none.
    #[error("peer id of a peer record: {0}")]
    PeerId(#[from] PeerIdError),
    /// The record is about another peer than the one that signed it.
    #[error("record about {about} is signed by {signer}")]
    NotTheSigner {
        /// The peer in the record.
        about: PeerId,
        /// The peer whose key signed.
        signer: PeerId,
    },
}

impl Culpable for PeerRecordError {
    fn blame(&self) -> Blame {
        match self {
            Self::Envelope(error) => error.blame(),
            Self::Legacy => Blame::Local,
            Self::PayloadType | Self::Decode(_) | Self::PeerId(_) | Self::NotTheSigner { .. } => Blame::Peer,
        }
    }
}

/// Why a record was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// More addresses than a receiver takes.
    #[error("{0} addresses in a peer record where at most {MAX_ADDRS} are allowed")]
    TooManyAddrs(usize),
    /// The record would be longer than a receiver takes.
    #[error("peer record of {0} bytes where at most {MAX_ENVELOPE} are allowed")]
    TooLong(usize),
    /// The signer could not sign.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl Culpable for SealError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

impl PeerRecord {
    /// The domain that records are signed for. go and js use this one in place of the one in the text of RFC 0003.
    pub const DOMAIN: &'static str = "libp2p-peer-record";

    /// The payload type of records: the multicodec `libp2p-peer-record`, 0x0301, as its two bytes.
    pub const PAYLOAD_TYPE: &'static [u8] = &[0x03, 0x01];

    /// Signs a record of the signer's addresses and gives the bytes of its envelope.
    ///
    /// Of two records the one with the higher `seq` is the newer: take the time in nanoseconds, and never the same twice.
    ///
    /// # Errors
    ///
    /// When there are more addresses than [`MAX_ADDRS`], the envelope would pass [`MAX_ENVELOPE`], or the signer
    /// cannot sign.
    pub fn seal(signer: &dyn Signer, seq: u64, addrs: &[Multiaddr]) -> Result<Vec<u8>, SealError> {
        if addrs.len() > MAX_ADDRS {
            return Err(SealError::TooManyAddrs(addrs.len()));
        }
        let wire = Wire {
            peer_id: Some(signer.public().peer_id().to_bytes().into()),
            seq,
            addresses: addrs
                .iter()
                .map(|addr| AddressInfo {
                    multiaddr: addr.to_vec().into(),
                })
                .collect(),
        };
        let sealed = Envelope::seal(signer, Self::DOMAIN, Self::PAYLOAD_TYPE, &wire.encode_to_vec())?;
        if sealed.len() > MAX_ENVELOPE {
            Err(SealError::TooLong(sealed.len()))
        } else {
            Ok(sealed)
        }
    }

    /// Reads the envelope of a record and verifies that the peer it is about has signed it.
    ///
    /// Addresses that this node does not understand are left out: they may be of a transport that is newer than it.
    ///
    /// # Errors
    ///
    /// When it has not, or the bytes are no record; see [`PeerRecordError`]. Two of these are nobody's fault
    /// ([`Culpable::blame`]): forms that other libraries write and this one does not read.
    pub fn open(bytes: &[u8]) -> Result<Self, PeerRecordError> {
        let sealed = Sealed::read(bytes)?;
        if sealed.payload_type() == LEGACY_PAYLOAD_TYPE {
            return Err(PeerRecordError::Legacy);
        }
        // spec: RFC 0003, Certification / Verification: the signature is verified before the record is decoded.
        let envelope = sealed.verify(Self::DOMAIN)?;
        if envelope.payload_type() != Self::PAYLOAD_TYPE {
            return Err(PeerRecordError::PayloadType);
        }
        let wire: Wire = protobuf::decode_bounded(envelope.payload(), &BOUNDS)?;
        let about = PeerId::from_bytes(&protobuf::required(wire.peer_id, "peer_id")?)?;
        // spec: RFC 0003, Certification / Verification: a record about another peer than the signer is discarded.
        let signer = envelope.peer();
        if about != signer {
            return Err(PeerRecordError::NotTheSigner { about, signer });
        }
        let addrs = wire
            .addresses
            .iter()
            .filter_map(|info| sinew_addr::decode(&info.multiaddr).ok())
            .collect();
        Ok(Self {
            peer: about,
            seq: wire.seq,
            addrs,
        })
    }

    /// The peer that the record is about, which is the one that signed it.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Orders the records of one peer. Not a time, though many make it from one.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Where the peer says it listens.
    #[must_use]
    pub fn addrs(&self) -> &[Multiaddr] {
        &self.addrs
    }
}
