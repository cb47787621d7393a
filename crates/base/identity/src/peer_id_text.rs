//! The text forms of peer ids: base58, and CID version 1 in any multibase.

use std::fmt;
use std::str::FromStr;

use multibase::Base;

use crate::peer_id::MAX_PEER_ID;
use crate::{PeerId, PeerIdError};

/// Version byte of a CID (CID spec).
const CID_V1: u8 = 0x01;
/// Multicodec of a libp2p public key (multicodec table, `libp2p-key`).
const LIBP2P_KEY: u8 = 0x72;
/// The longest text worth decoding: the longest id as a CID in base 2, one character a bit.
const MAX_TEXT: usize = 1 + (2 + MAX_PEER_ID) * 8;

impl PeerId {
    /// The id as a CID in base 32, the form that the peer-ids spec is moving to (`bafz…`).
    #[must_use]
    pub fn to_cid_text(&self) -> String {
        // spec: peer-ids, String representation: CID version 1, codec libp2p-key, base32 by default.
        let cid = [&[CID_V1, LIBP2P_KEY], self.as_bytes()].concat();
        multibase::encode(Base::Base32Lower, cid)
    }

    fn from_base58(text: &str) -> Result<Self, PeerIdError> {
        let bytes = bs58::decode(text).into_vec().map_err(|_| PeerIdError::Text)?;
        Self::from_bytes(&bytes)
    }

    fn from_cid_text(text: &str) -> Result<Self, PeerIdError> {
        let (_, cid) = multibase::decode(text).map_err(|_| PeerIdError::Text)?;
        match cid.as_slice() {
            [CID_V1, LIBP2P_KEY, multihash @ ..] => Self::from_bytes(multihash),
            _ => Err(PeerIdError::Cid),
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // spec: peer-ids, String representation: shown as a bare base58btc multihash for now.
        f.pad(&bs58::encode(self.as_bytes()).into_string())
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        if text.len() > MAX_TEXT {
            return Err(PeerIdError::Length);
        }
        // spec: peer-ids, Decoding: `1` or `Qm` begins a bare multihash, anything else is multibase.
        if text.starts_with('1') || text.starts_with("Qm") {
            Self::from_base58(text)
        } else {
            Self::from_cid_text(text)
        }
    }
}
