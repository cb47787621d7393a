//! The identity key, by type.

use libp2p::identity::Keypair;
use rsa::pkcs8::EncodePrivateKey;

/// What `--key` may name.
const KEY_TYPES: &str = "ed25519, secp256k1, ecdsa, rsa";

/// Makes the key that the arguments ask for: `--key TYPE`, or Ed25519 without it.
pub fn from_args(mut args: impl Iterator<Item = String>) -> Result<Keypair, String> {
    let mut key_type = "ed25519".to_owned();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--key" => key_type = args.next().ok_or("--key needs a type")?,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    match key_type.as_str() {
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
