//! What the arguments ask for (interop/README.md).

use std::path::PathBuf;

use libp2p::identity::Keypair;
use rsa::pkcs8::EncodePrivateKey;

/// What `--key` may name.
const KEY_TYPES: &str = "ed25519, secp256k1, ecdsa, rsa";

/// What the node is made of.
pub struct Args {
    /// The identity.
    pub key: Keypair,
    /// The transport.
    pub transport: String,
    /// The security; empty where the transport has its own.
    pub security: String,
    /// The muxer; empty likewise.
    pub muxer: String,
    /// The key of a private network.
    pub psk: Option<[u8; 32]>,
    /// Where the certificates for secure WebSockets lie.
    pub tls: Option<PathBuf>,
    /// `gossipsub` or `floodsub`, or neither.
    pub pubsub: Option<String>,
    /// Messages have neither author nor signature.
    pub anonymous: bool,
    /// The topic whose messages come in parts.
    pub partial: Option<String>,
}

impl Args {
    /// Reads them.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut key_type, mut stack) = ("ed25519".to_owned(), "tcp/noise/yamux".to_owned());
        let (mut psk, mut tls, mut pubsub, mut anonymous, mut partial) = (None, None, None, false, None);
        while let Some(name) = args.next() {
            if name == "--anonymous" {
                anonymous = true;
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--key" => key_type = value,
                "--stack" => stack = value,
                "--psk" => psk = Some(hex(&value).ok_or("--psk takes 64 hex digits")?),
                "--tls" => tls = Some(PathBuf::from(value)),
                "--pubsub" => pubsub = Some(value),
                "--partial" => partial = Some(value),
                other => return Err(format!("unknown argument {other}")),
            }
        }
        let mut layers = stack.split('/').map(str::to_owned);
        let mut layer = || layers.next().unwrap_or_default();
        Ok(Self {
            key: keypair(&key_type)?,
            transport: layer(),
            security: layer(),
            muxer: layer(),
            psk,
            tls,
            pubsub,
            anonymous,
            partial,
        })
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let bytes: Vec<u8> = digits?
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    bytes.try_into().ok()
}

fn keypair(key_type: &str) -> Result<Keypair, String> {
    match key_type {
        "ed25519" => Ok(Keypair::generate_ed25519()),
        "secp256k1" => Ok(Keypair::generate_secp256k1()),
        "ecdsa" => Ok(Keypair::generate_ecdsa()),
        "rsa" => rsa_2048(),
        other => Err(format!("unknown key type {other}: one of {KEY_TYPES}")),
    }
}

/// rust-libp2p reads RSA keys but makes none.
fn rsa_2048() -> Result<Keypair, String> {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).map_err(|e| e.to_string())?;
    let mut der = key.to_pkcs8_der().map_err(|e| e.to_string())?.as_bytes().to_vec();
    Keypair::rsa_from_pkcs8(&mut der).map_err(|e| e.to_string())
}
