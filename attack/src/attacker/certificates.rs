//! TLS handshakes with certificates that prove nothing: all that our vectors refuse.

use super::{
    Aim,
    handshakes::{address, again_and_again},
    outcome::{Outcome, ended},
};
use crate::error::AttackError;
use rustls::{
    ClientConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use serde::Deserialize;
use sinew_identity::Keypair;
use sinew_tls::{Certificate, Verifier, client_config};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_rustls::TlsConnector;

/// The certificates of the crate's own tests.
const VECTORS: &str = include_str!("../../../crates/security/tls/tests/vectors/tls.json");

/// Longer than any deadline.
const LONG_ENOUGH: Duration = Duration::from_secs(12);

#[derive(Deserialize)]
struct Vector {
    der: Vec<String>,
}

/// One bad certificate after the other, each in a whole handshake, until the time is over.
pub(super) async fn bad(aim: &Aim) -> Result<Vec<Outcome>, AttackError> {
    let configs = Arc::new(configs()?);
    Ok(again_and_again(aim, move |aim, number| {
        let config = configs[number % configs.len()].clone();
        async move { show(&aim, config, number).await }
    })
    .await)
}

async fn show(aim: &Aim, config: Arc<ClientConfig>, number: usize) -> io::Result<Outcome> {
    let io = aim.before_security(aim.connect(address(number)).await?).await?;
    let name = ServerName::IpAddress(aim.place.socket.ip().into());
    let from = Instant::now();
    // A client is done before the server looks at its certificate: it learns of the refusal when it reads.
    let cut = match TlsConnector::from(config).connect(name, io).await {
        Ok(mut io) => ended(&mut io, from, LONG_ENOUGH).await,
        Err(_) => Some(from.elapsed()),
    };
    Ok(Outcome::of(cut, 1))
}

/// A client for each chain that is refused.
fn configs() -> Result<Vec<Arc<ClientConfig>>, AttackError> {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS)?;
    let own = Certificate::new(&Keypair::generate())?;
    let mut configs = Vec::new();
    for vector in vectors {
        let chain: Result<Vec<_>, _> = vector.der.iter().map(hex::decode).collect();
        let chain = chain.map_err(io::Error::other)?;
        let chain: Vec<CertificateDer<'static>> = chain.into_iter().map(Into::into).collect();
        if sinew_tls::verify(&chain, UnixTime::now()).is_err() {
            let mut config = client_config(&own, Verifier::new(None), vec![b"libp2p".to_vec()]);
            config.client_auth_cert_resolver = showing(chain)?;
            configs.push(Arc::new(config));
        }
    }
    Ok(configs)
}

/// A chain that is shown with a key which is not its own: it is refused before its signature is looked at.
fn showing(chain: Vec<CertificateDer<'static>>) -> io::Result<Arc<SingleCertAndKey>> {
    let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = sinew_crypto::tls::provider().key_provider.load_private_key(key);
    let shown = CertifiedKey::new(chain, key.map_err(io::Error::other)?);
    Ok(Arc::new(SingleCertAndKey::from(Arc::new(shown))))
}
