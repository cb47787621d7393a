//! Peer ids: the multihash of a public key, as bytes.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use sinew_crypto::{random, sha256};
use thiserror::Error;

use crate::PublicKey;

/// The longest encoded key that an id holds itself; longer ones are hashed (peer-ids spec, Peer Ids).
pub const MAX_INLINE_KEY: usize = 42;
/// Bytes of the longest peer id: code, length and an inlined key.
pub const MAX_PEER_ID: usize = 2 + MAX_INLINE_KEY;

/// Multicodec of the identity hash, which is the input itself (multicodec table, `identity`).
const IDENTITY: u8 = 0x00;
/// Multicodec of SHA-256 (multicodec table, `sha2-256`).
const SHA2_256: u8 = 0x12;
/// Bytes of a SHA-256 digest.
const DIGEST: u8 = 32;

/// The name of a peer, derived from its public key: either the key itself or its SHA-256.
///
/// Small and `Copy`. The order is that of the bytes. The text form ([`Display`](fmt::Display)) is base58; parsing also
/// takes the CID form.
///
/// Reading an id checks the form of the multihash alone. Whether an inlined key is one shows in
/// [`public_key`](Self::public_key), and a peer that claims an id without a key fails its handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerId {
    len: u8,
    /// The multihash, then zeros.
    bytes: [u8; MAX_PEER_ID],
}

impl PeerId {
    /// The id of a public key.
    #[must_use]
    pub fn from_public_key(key: &PublicKey) -> Self {
        let encoded = key.to_protobuf();
        // spec: peer-ids, Peer Ids: at most 42 bytes go in as they are, more are hashed with SHA-256.
        if encoded.len() <= MAX_INLINE_KEY {
            Self::join(IDENTITY, &encoded)
        } else {
            Self::join(SHA2_256, &sha256(&encoded))
        }
    }

    /// Reads the bytes of an id: a multihash and nothing after it.
    ///
    /// # Errors
    /// [`PeerIdError`] for anything but an identity hash of at most 42 bytes or a whole SHA-256.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PeerIdError> {
        // Codes and lengths that are accepted fit in one byte, where a varint has one encoding.
        let [code, len, digest @ ..] = bytes else {
            return Err(PeerIdError::Length);
        };
        let fits = match *code {
            IDENTITY => digest.len() <= MAX_INLINE_KEY,
            SHA2_256 => digest.len() == usize::from(DIGEST),
            _ => return Err(PeerIdError::HashFunction),
        };
        if !fits || usize::from(*len) != digest.len() {
            return Err(PeerIdError::Length);
        }
        Ok(Self::join(*code, digest))
    }

    /// `digest` has at most [`MAX_INLINE_KEY`] bytes.
    fn join(code: u8, digest: &[u8]) -> Self {
        let mut bytes = [0; MAX_PEER_ID];
        bytes[0] = code;
        bytes[1] = digest.len() as u8;
        bytes[2..2 + digest.len()].copy_from_slice(digest);
        Self {
            len: 2 + digest.len() as u8,
            bytes,
        }
    }

    /// An id that no key is known for, for tests and for random walks of the network.
    #[must_use]
    pub fn random() -> Self {
        let mut digest = [0; DIGEST as usize];
        random(&mut digest);
        Self::join(SHA2_256, &digest)
    }

    /// The bytes: a multihash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The bytes: a multihash.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    /// The public key, where the id holds it and it is one whose id this is.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        let [IDENTITY, _, encoded @ ..] = self.as_bytes() else {
            return None;
        };
        let key = PublicKey::from_protobuf(encoded).ok()?;
        // An id around another encoding of the key would be a second name for one peer.
        (key.peer_id() == *self).then_some(key)
    }
}

impl From<&PublicKey> for PeerId {
    fn from(key: &PublicKey) -> Self {
        Self::from_public_key(key)
    }
}

impl AsRef<[u8]> for PeerId {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl TryFrom<&[u8]> for PeerId {
    type Error = PeerIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, PeerIdError> {
        Self::from_bytes(bytes)
    }
}

impl Ord for PeerId {
    /// Ids are searched for in maps for every message: the first bytes decide nearly always, and need no call.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let first = |id: &Self| id.bytes.first_chunk().copied().map(u64::from_be_bytes);
        first(self)
            .cmp(&first(other))
            .then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}

impl PartialOrd for PeerId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for PeerId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

/// Why bytes or text are no peer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerIdError {
    /// The multihash is cut short, too long, or followed by something.
    #[error("a peer id of the wrong length")]
    Length,
    /// A hash function that peer ids do not use.
    #[error("a peer id is an identity or SHA-256 multihash")]
    HashFunction,
    /// The text is neither base58 nor a known multibase.
    #[error("the text is neither base58 nor multibase")]
    Text,
    /// A CID, but not of version 1 or not of a libp2p key.
    #[error("the CID is not one of version 1 for a libp2p key")]
    Cid,
}
