//! From a description to a builder, and what is read again while the node runs.

use super::Config;
use crate::{
    NodeBuilder,
    access::{AccessError, AccessList},
    pnet::{PreSharedKey, SwarmKeyFileError},
    websocket::{Certificate, CertificateError},
};

/// Why a described node was not built, or its files not read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigureError {
    /// The key of its private network cannot be read.
    #[error("psk: {0}")]
    PreSharedKey(#[from] SwarmKeyFileError),
    /// Its certificate cannot be used.
    #[error("wss: {0}")]
    Certificate(#[from] CertificateError),
    /// Its access lists cannot be read.
    #[error("access: {0}")]
    Access(#[from] AccessError),
    /// Its peerstore cannot be opened.
    #[error("peerstore: {0}")]
    Peerstore(#[from] crate::DiskError),
    /// Its metrics cannot be served.
    #[error("metrics: {0}")]
    Metrics(#[from] crate::metrics::ServeError),
}

/// The files of a described node that may change while it runs: its certificate and its access lists.
#[derive(Clone, Default, Debug)]
pub struct Files {
    certificate: Option<Certificate>,
    access: Option<AccessList>,
}

impl Files {
    /// Whether the node has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificate.is_none() && self.access.is_none()
    }

    /// Reads them again. Connections that the access lists deny now are closed; the certificate is that of new
    /// connections. Blocks.
    ///
    /// # Errors
    /// [`ConfigureError`] with the first that cannot be used; what it held before stays, and the other one is taken.
    pub fn reload(&self) -> Result<(), ConfigureError> {
        let access = self.access.iter().try_for_each(AccessList::reload);
        let certificate = self.certificate.iter().try_for_each(Certificate::reload);
        access?;
        Ok(certificate?)
    }
}

impl NodeBuilder {
    /// Takes over what `config` describes, but for the key, which the builder was made with. Reads its files and opens the
    /// peerstore, which blocks, and the socket of the metrics, whose address is [`NodeBuilder::metrics_addr`] from then
    /// on. [`NodeBuilder::files`] are what may change while the node runs.
    ///
    /// # Errors
    /// [`ConfigureError`].
    pub fn configure(self, config: &Config) -> Result<Self, ConfigureError> {
        let mut builder = self.limits(config.limits());
        if let Some(path) = &config.psk {
            builder = builder.private_network(PreSharedKey::read_file(path)?);
        }
        if let Some(watermarks) = config.watermarks {
            builder = builder.watermarks(watermarks);
        }
        if let Some(path) = &config.peerstore {
            builder = builder.peerstore_at(path)?;
        }
        if let Some(addr) = config.metrics {
            builder = builder.metrics_at(addr)?;
        }
        builder = builder.gates(config)?.certify(config)?.announcing(config);
        Ok(config.listen.iter().cloned().fold(builder, Self::listen_on))
    }

    /// What [`NodeBuilder::configure`] read that may change while the node runs.
    #[must_use]
    pub fn files(&self) -> Files {
        self.files.clone()
    }

    fn gates(mut self, config: &Config) -> Result<Self, ConfigureError> {
        if !config.access.is_empty() {
            self = self.gater(AccessList::from_rules(config.access.iter().copied())?);
        }
        if let Some(path) = &config.access_file {
            let list = AccessList::open(path)?;
            self.files.access = Some(list.clone());
            self = self.gater(list);
        }
        Ok(self)
    }

    fn certify(mut self, config: &Config) -> Result<Self, ConfigureError> {
        if let Some(wss) = &config.wss {
            let certificate = Certificate::from_files(&wss.cert, &wss.key)?;
            self.files.certificate = Some(certificate.clone());
            self = self.websocket(|websocket| websocket.with_certificate(certificate));
        }
        Ok(self)
    }

    fn announcing(self, config: &Config) -> Self {
        let builder = config.announce.iter().cloned().fold(self, Self::announce);
        let append = config.append_announce.iter().cloned();
        let builder = append.fold(builder, Self::append_announce);
        config
            .no_announce
            .iter()
            .cloned()
            .fold(builder, Self::no_announce)
    }
}
