//! Configurations of rustls for handshakes by the specification, in TLS and in QUIC.

use std::sync::Arc;

use rustls::{
    ClientConfig, ServerConfig, client::Resumption, server::NoServerSessionStorage,
    time_provider::TimeProvider, version::TLS13,
};
use rustls_pki_types::UnixTime;
use std::time::Duration;

use crate::{Certificate, Verifier};

/// The configuration of a dial.
///
/// TLS 1.3 alone, and nothing in the field for a server's name. Sessions are never resumed, because a resumed one
/// would skip the verifier. `alpn` names the application protocols, best first.
#[must_use]
pub fn client_config(certificate: &Certificate, verifier: Arc<Verifier>, alpn: Vec<Vec<u8>>) -> ClientConfig {
    let provider = sinew_crypto::tls::provider();
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(Clock))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has what TLS 1.3 takes")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(certificate.resolver());
    config.alpn_protocols = alpn;
    config.key_log = certificate.key_log();
    config.resumption = Resumption::disabled();
    // spec: tls, Future Extensibility: no server name.
    config.enable_sni = false;
    config
}

/// The configuration of a listener.
///
/// TLS 1.3 alone; who shows no certificate is refused. No tickets and no early data. `alpn` names the application
/// protocols, best first; the order of ciphers is ours, because rust-libp2p names the slowest one first.
#[must_use]
pub fn server_config(certificate: &Certificate, verifier: Arc<Verifier>, alpn: Vec<Vec<u8>>) -> ServerConfig {
    let provider = sinew_crypto::tls::provider();
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(Clock))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has what TLS 1.3 takes")
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificate.resolver());
    config.alpn_protocols = alpn;
    config.key_log = certificate.key_log();
    config.ignore_client_order = true;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// The clock that certificates are held against.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let now = sinew_runtime::wall_now();
        Some(UnixTime::since_unix_epoch(Duration::from_nanos(now.0)))
    }
}
