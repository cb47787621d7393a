//! The pre-shared key, and the text form that all implementations write into `swarm.key`.

use data_encoding::{BASE64, DecodeKind, HEXLOWER, HEXLOWER_PERMISSIVE};
use sinew_crypto::{random, sha256};
use std::fmt;
use zeroize::Zeroizing;

/// spec: pnet, Interface: the key has exactly 256 bits.
const LEN: usize = 32;

/// spec: pnet, Interface: the codec of the file, before that of its encoding.
const CODEC: &[u8] = b"/key/swarm/psk/1.0.0/";

/// The key that all members of a private network share, 256 bits. It leaves memory when it is dropped, and is shown
/// nowhere: its debug form is the fingerprint.
#[derive(Clone)]
pub struct PreSharedKey(Zeroizing<[u8; LEN]>);

impl PreSharedKey {
    /// A new key from the system's generator.
    ///
    /// # Panics
    /// When the system has no source of entropy.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; LEN]);
        random(&mut *bytes);
        Self(bytes)
    }

    /// The key with these bytes. Any are a key; the caller's copy is the caller's to forget.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; LEN]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// Eight bytes in hexadecimal digits that people can compare to see whether two nodes have the same key. They say
    /// nothing about the key itself.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut input = Zeroizing::new([0; FINGERPRINT.len() + LEN]);
        input[..FINGERPRINT.len()].copy_from_slice(FINGERPRINT);
        input[FINGERPRINT.len()..].copy_from_slice(self.bytes());
        HEXLOWER.encode(&sha256(&*input)[..8])
    }

    /// Reads the content of a `swarm.key` file: its codec, one of three encodings, the key.
    ///
    /// Lines may end in CR LF, base16 may be upper case, and white space may follow; nothing else may.
    ///
    /// # Errors
    /// [`SwarmKeyError`] says which of the three parts is wrong.
    pub fn from_swarm_key(file: &[u8]) -> Result<Self, SwarmKeyError> {
        let (codec, rest) = line(file);
        if codec != CODEC {
            return Err(SwarmKeyError::Codec);
        }
        let (encoding, rest) = line(rest);
        let mut key = Zeroizing::new([0; LEN]);
        match encoding {
            b"/base16/" => decode(&HEXLOWER_PERMISSIVE, rest.trim_ascii_end(), &mut key)?,
            b"/base64/" => decode(&BASE64, rest.trim_ascii_end(), &mut key)?,
            b"/bin/" => key.copy_from_slice(exact(rest)?),
            _ => return Err(SwarmKeyError::Encoding),
        }
        Ok(Self(key))
    }

    /// The content of a `swarm.key` file, in base16, which every implementation reads.
    #[must_use]
    pub fn to_swarm_key(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it at once, so that growing leaves no copies behind.
        let mut file = Zeroizing::new(Vec::with_capacity(128));
        file.extend_from_slice(CODEC);
        file.extend_from_slice(b"\n/base16/\n");
        let mut digits = Zeroizing::new([0; 2 * LEN]);
        HEXLOWER.encode_mut(self.bytes(), &mut *digits);
        file.extend_from_slice(&*digits);
        file.push(b'\n');
        file
    }
}

/// What is hashed before the key: a fingerprint is good for nothing else.
const FINGERPRINT: &[u8; 28] = b"sinew private network key v1";

/// The first line, without its end, and what follows.
fn line(file: &[u8]) -> (&[u8], &[u8]) {
    let end = file.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => (&file[..end], &file[end + 1..]),
        None => (file, &[][..]),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

fn exact(bytes: &[u8]) -> Result<&[u8], SwarmKeyError> {
    if bytes.len() == LEN {
        Ok(bytes)
    } else {
        Err(SwarmKeyError::Length)
    }
}

fn decode(encoding: &data_encoding::Encoding, text: &[u8], key: &mut [u8; LEN]) -> Result<(), SwarmKeyError> {
    let mut room = Zeroizing::new([0; 64]);
    let length = encoding
        .decode_len(text.len())
        .map_err(|_| SwarmKeyError::Length)?;
    let room = room.get_mut(..length).ok_or(SwarmKeyError::Length)?;
    let decoded = encoding
        .decode_mut(text, room)
        .map_err(|partial| match partial.error.kind {
            DecodeKind::Length => SwarmKeyError::Length,
            _ => SwarmKeyError::Digits,
        })?;
    key.copy_from_slice(exact(&room[..decoded])?);
    Ok(())
}

impl fmt::Debug for PreSharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreSharedKey({})", self.fingerprint())
    }
}

/// What is wrong with the content of a `swarm.key` file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwarmKeyError {
    /// The first line is another.
    #[error("the first line is not /key/swarm/psk/1.0.0/")]
    Codec,
    /// The second line names no known encoding.
    #[error("the second line is none of /base16/, /base64/ and /bin/")]
    Encoding,
    /// The third line is not in its encoding.
    #[error("the key is not in its encoding")]
    Digits,
    /// The key is too short or too long.
    #[error("the key does not have exactly 32 bytes")]
    Length,
}
