//! The primitives that snow asks for, made of `sinew-crypto`.

use std::sync::Arc;

use sinew_crypto::{
    Sha256,
    aead::{Key, TAG},
    x25519::{self, Secret},
};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};

/// The primitives of one handshake, with the two private keys that it uses.
///
/// snow gets no source of entropy: the ephemeral key is an argument, made by whoever starts the handshake.
pub(crate) struct Primitives {
    pub(crate) static_key: Arc<Secret>,
    pub(crate) ephemeral: Arc<Secret>,
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(NoEntropy))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| {
            Box::new(Agreement {
                static_key: Arc::clone(&self.static_key),
                ephemeral: Arc::clone(&self.ephemeral),
                chosen: None,
            }) as _
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::SHA256).then(|| Box::new(Digest(Sha256::new())) as _)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::new(Aead(None)) as _)
    }
}

struct NoEntropy;

impl Random for NoEntropy {
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Error> {
        Err(Error::Rng)
    }
}

/// One of the two keys, once snow has said which: it *sets* the static key and *generates* the ephemeral one.
///
/// Both were made beforehand, so no handshake computes the public half of the static key again.
struct Agreement {
    static_key: Arc<Secret>,
    ephemeral: Arc<Secret>,
    chosen: Option<(Arc<Secret>, [u8; x25519::LEN])>,
}

impl Agreement {
    fn choose(&mut self, key: Arc<Secret>) {
        let public = key.public();
        self.chosen = Some((key, public));
    }
}

impl Dh for Agreement {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        x25519::LEN
    }

    fn priv_len(&self) -> usize {
        x25519::LEN
    }

    fn set(&mut self, _: &[u8]) {
        self.choose(Arc::clone(&self.static_key));
    }

    fn generate(&mut self, _: &mut dyn Random) -> Result<(), Error> {
        self.choose(Arc::clone(&self.ephemeral));
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.chosen.as_ref().map_or(&[], |(_, public)| public)
    }

    fn privkey(&self) -> &[u8] {
        self.chosen.as_ref().map_or(&[], |(key, _)| key.as_bytes())
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let (Some((key, _)), Some(public)) = (&self.chosen, public.first_chunk()) else {
            return Err(Error::Dh);
        };
        // spec: noise, XX: a low-order point makes the secret predictable; the handshake ends there.
        let shared = key.agree(public).map_err(|_| Error::Dh)?;
        out.get_mut(..x25519::LEN)
            .ok_or(Error::Dh)?
            .copy_from_slice(&shared[..]);
        Ok(())
    }
}

struct Digest(Sha256);

impl Hash for Digest {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Sha256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let digest = std::mem::take(&mut self.0).finish();
        out[..digest.len()].copy_from_slice(&digest);
    }
}

struct Aead(Option<Key>);

impl Cipher for Aead {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(Key::noise(key));
    }

    fn encrypt(&self, nonce: u64, aad: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let key = self.0.as_ref().expect("snow sets the key before it uses it");
        let len = plain.len() + TAG;
        key.seal_into(nonce, aad, plain, &mut out[..len]);
        len
    }

    fn decrypt(&self, nonce: u64, aad: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let key = self.0.as_ref().expect("snow sets the key before it uses it");
        let len = sealed.len().checked_sub(TAG).ok_or(Error::Decrypt)?;
        let out = out.get_mut(..len).ok_or(Error::Decrypt)?;
        key.open_into(nonce, aad, sealed, out)
            .map_err(|_| Error::Decrypt)?;
        Ok(len)
    }
}
