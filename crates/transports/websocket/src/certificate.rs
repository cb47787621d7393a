//! The certificate of a listener, which can be exchanged while it listens.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sinew_crypto::tls::provider;

use crate::CertificateError;

/// A certificate with its chain and key. Clones are the same one: what is set on one is used by the listeners of all, for
/// every connection from then on.
#[derive(Clone)]
pub struct Certificate {
    current: Arc<RwLock<Arc<CertifiedKey>>>,
    files: Option<Arc<Files>>,
}

#[derive(Debug)]
struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// A certificate, those that lead from it to a root, and its key.
    ///
    /// # Errors
    /// [`CertificateError`] if there is none, or if the key is not its key.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let current = Arc::new(RwLock::new(certified(chain, key)?));
        Ok(Self { current, files: None })
    }

    /// The same from text in PEM.
    ///
    /// # Errors
    /// [`CertificateError`] if it cannot be read, or if the key is not the certificate's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let (chain, key) = read_pem(chain, key)?;
        Self::new(chain, key)
    }

    /// The same from files in PEM, which [`Certificate::reload`] reads again. Blocks.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`], and if a file cannot be read.
    pub fn from_files(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, CertificateError> {
        let files = Files {
            chain: chain.into(),
            key: key.into(),
        };
        let (chain, key) = files.read()?;
        let mut certificate = Self::new(chain, key)?;
        certificate.files = Some(Arc::new(files));
        Ok(certificate)
    }

    /// Exchanges the certificate. Connections that exist go on.
    ///
    /// # Errors
    /// As [`Certificate::new`]; the old certificate stays then.
    pub fn set_certificate(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), CertificateError> {
        let fresh = certified(chain, key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Reads the files again, after a renewal for instance. Blocks.
    ///
    /// # Errors
    /// As [`Certificate::from_files`], and [`CertificateError::NotFromFiles`]; the old certificate stays then.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let files = self.files.as_ref().ok_or(CertificateError::NotFromFiles)?;
        let (chain, key) = files.read()?;
        self.set_certificate(chain, key)
    }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Files {
    fn read(&self) -> Result<Pair, CertificateError> {
        read_pem(&read(&self.chain)?, &read(&self.key)?)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error| CertificateError::File {
        path: path.to_owned(),
        error,
    })
}

fn read_pem(chain: &[u8], key: &[u8]) -> Result<Pair, CertificateError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>()?;
    Ok((chain, PrivateKeyDer::from_pem_slice(key)?))
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, CertificateError> {
    if chain.is_empty() {
        return Err(CertificateError::Empty);
    }
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider())?))
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}
