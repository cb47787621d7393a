//! Authenticated encryption: ChaCha20-Poly1305 (RFC 8439) with the counters of the Noise framework, and the ciphers of
//! TLS 1.3 with the numbers of its records.

use std::fmt;

#[cfg(feature = "tls")]
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM};
use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
#[cfg(feature = "tls")]
use rustls::ConnectionTrafficSecrets;

/// The length of a key of ChaCha20-Poly1305 (RFC 8439, section 2.8).
pub const KEY: usize = 32;
/// The length of the authentication tag that follows the ciphertext, of all the ciphers (RFC 5116, section 5; RFC 8439,
/// section 2.8).
pub const TAG: usize = 16;

/// The tag does not fit the ciphertext: somebody changed one of them, or the key is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext is not authentic")]
pub struct Forged;

/// A key, ready to seal and open. The caller never uses one counter for two messages.
pub struct Key {
    key: LessSafeKey,
    /// What the counter is mixed into.
    iv: [u8; NONCE_LEN],
    encode: fn(u64) -> [u8; 8],
}

impl Key {
    /// The key of ChaCha20-Poly1305 that `bytes` stand for, for the counters of Noise: four zero bytes, then the counter in
    /// little-endian order (Noise, section 12.3). The copy inside is overwritten when it is dropped.
    #[must_use]
    pub fn noise(bytes: &[u8; KEY]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("the key has the cipher's length");
        Self {
            key: LessSafeKey::new(key),
            iv: [0; NONCE_LEN],
            encode: u64::to_le_bytes,
        }
    }

    /// The key of one direction of TLS 1.3, for the numbers of its records: in big-endian order, mixed into the secret
    /// initialisation vector (RFC 8446, section 5.3).
    ///
    /// # Panics
    /// For a cipher that [`tls::provider`](crate::tls::provider) does not have.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(secrets: &ConnectionTrafficSecrets) -> Self {
        let (cipher, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => unreachable!("the suites of our provider are of these three"),
        };
        let key = UnboundKey::new(cipher, key.as_ref()).expect("the key has the cipher's length");
        Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().expect("all nonces are of one length"),
            encode: u64::to_be_bytes,
        }
    }

    /// Encrypts `text` where it lies and gives the tag that belongs behind it.
    ///
    /// # Panics
    /// When `text` is longer than the cipher allows (256 GiB).
    #[must_use]
    pub fn seal_in_place(&self, counter: u64, aad: &[u8], text: &mut [u8]) -> [u8; TAG] {
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(counter), Aad::from(aad), text)
            .expect("the text is shorter than 256 GiB");
        let mut out = [0; TAG];
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// Encrypts `plain` into `sealed`, which takes the ciphertext and then the tag.
    ///
    /// # Panics
    /// When `sealed` is not [`TAG`] bytes longer than `plain`, or `plain` longer than 256 GiB.
    pub fn seal_into(&self, counter: u64, aad: &[u8], plain: &[u8], sealed: &mut [u8]) {
        assert_eq!(sealed.len(), plain.len() + TAG, "room for the text and its tag");
        let (text, tag) = sealed.split_at_mut(plain.len());
        self.key
            .seal_out_of_place_scatter(self.nonce(counter), Aad::from(aad), plain, text, &[], tag)
            .expect("the text is shorter than 256 GiB");
    }

    /// Decrypts `sealed` (ciphertext, then tag) where it lies; the first bytes, as many as the answer says,
    /// are the text then.
    ///
    /// # Errors
    /// [`Forged`] when the tag does not fit or is not there; what `sealed` holds then is of no use.
    pub fn open_in_place(&self, counter: u64, aad: &[u8], sealed: &mut [u8]) -> Result<usize, Forged> {
        self.key
            .open_in_place(self.nonce(counter), Aad::from(aad), sealed)
            .map(|text| text.len())
            .map_err(|_| Forged)
    }

    /// Decrypts `sealed` (ciphertext, then tag) into `out`.
    ///
    /// # Errors
    /// [`Forged`] when the tag does not fit or is not there, or `out` is not as long as the ciphertext;
    /// what `out` holds then is of no use.
    pub fn open_into(&self, counter: u64, aad: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), Forged> {
        let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or(Forged)?;
        self.key
            .open_separate_gather(self.nonce(counter), Aad::from(aad), text, tag, out)
            .map_err(|_| Forged)
    }

    fn nonce(&self, counter: u64) -> Nonce {
        let mut nonce = self.iv;
        for (byte, counter) in nonce[NONCE_LEN - 8..].iter_mut().zip((self.encode)(counter)) {
            *byte ^= counter;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"four bottles of milk, and a loaf";

    #[test]
    fn the_vector_of_rfc_8439_appendix_a_5() {
        let key = hex::decode("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0").unwrap();
        let aad = hex::decode("f33388860000000000004e91").unwrap();
        // The nonce of that vector is 000000000102030405060708: four zero bytes, then the counter.
        let counter = u64::from_le_bytes([1, 2, 3, 4, 5, 6, 7, 8]);
        let mut sealed = hex::decode(concat!(
            "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d",
            "26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1",
            "ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b",
            "5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea",
            "1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d36",
            "1094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b",
            "eead9d67890cbb22392336fea1851f38"
        ))
        .unwrap();
        let key = Key::noise(&key.try_into().unwrap());
        let length = key.open_in_place(counter, &aad, &mut sealed).unwrap();
        assert_eq!(length, 265);
        assert!(sealed.starts_with(b"Internet-Drafts are draft documents valid for a maximum of six months"));
    }

    #[test]
    fn all_ways_of_sealing_and_opening_agree() {
        let key = Key::noise(&[7; KEY]);
        let mut in_place = TEXT.to_vec();
        let tag = key.seal_in_place(5, b"aad", &mut in_place);
        in_place.extend_from_slice(&tag);
        let mut apart = vec![0; TEXT.len() + TAG];
        key.seal_into(5, b"aad", TEXT, &mut apart);
        assert_eq!(in_place, apart);

        let mut out = vec![0; TEXT.len()];
        key.open_into(5, b"aad", &apart, &mut out).unwrap();
        assert_eq!(out, TEXT);
        let length = key.open_in_place(5, b"aad", &mut apart).unwrap();
        assert_eq!(&apart[..length], TEXT);
    }

    #[test]
    fn what_was_changed_is_refused() {
        let key = Key::noise(&[7; KEY]);
        let mut sealed = vec![0; TEXT.len() + TAG];
        key.seal_into(0, b"", TEXT, &mut sealed);
        let open = |key: &Key, counter, aad: &[u8], sealed: &[u8]| {
            let mut out = vec![0; sealed.len().saturating_sub(TAG)];
            assert_eq!(
                key.open_into(counter, aad, sealed, &mut out).is_ok(),
                key.open_in_place(counter, aad, &mut sealed.to_vec()).is_ok()
            );
            key.open_into(counter, aad, sealed, &mut out)
        };
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(open(&key, 0, b"", &changed), Err(Forged));
            assert_eq!(open(&key, 0, b"", &sealed[..position]), Err(Forged));
        }
        assert_eq!(open(&key, 1, b"", &sealed), Err(Forged));
        assert_eq!(open(&key, 0, b"x", &sealed), Err(Forged));
        assert_eq!(open(&Key::noise(&[8; KEY]), 0, b"", &sealed), Err(Forged));
        assert_eq!(key.open_into(0, b"", &sealed, &mut [0; 3]), Err(Forged));
    }
}
