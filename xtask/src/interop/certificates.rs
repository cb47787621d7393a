//! The certificates of secure WebSockets: a root that the diallers trust, and one for the listeners on loopback.

use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::{InteropError, peers::Places};

/// Makes new ones for this run: `root`, `cert` and `key`, each as `.pem` and as `.der`.
pub(super) fn write(places: &Places) -> Result<(), InteropError> {
    let folder = places.tls();
    let made = make().map_err(InteropError::Certificates)?;
    fs::create_dir_all(&folder).map_err(|source| InteropError::File {
        path: folder.clone(),
        source,
    })?;
    made.iter()
        .try_for_each(|(name, content)| store(&folder, name, content))
}

fn store(folder: &Path, name: &str, content: &[u8]) -> Result<(), InteropError> {
    let path = folder.join(name);
    fs::write(&path, content).map_err(|source| InteropError::File { path, source })
}

fn make() -> Result<[(&'static str, Vec<u8>); 6], rcgen::Error> {
    let root_key = KeyPair::generate()?;
    let mut root = CertificateParams::default();
    // Without a name of its own it is taken for the issuer of itself, and the other for one that signed itself.
    root.distinguished_name.push(DnType::CommonName, "interop root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_cert = root.self_signed(&root_key)?;
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    leaf.use_authority_key_identifier_extension = true;
    let cert = leaf.signed_by(&key, &Issuer::new(root, root_key))?;
    Ok([
        ("root.pem", root_cert.pem().into_bytes()),
        ("root.der", root_cert.der().to_vec()),
        ("cert.pem", cert.pem().into_bytes()),
        ("cert.der", cert.der().to_vec()),
        ("key.pem", key.serialize_pem().into_bytes()),
        ("key.der", key.serialize_der()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_made() {
        let made = make().unwrap();
        for (name, content) in &made {
            assert_eq!(
                name.ends_with(".pem"),
                content.starts_with(b"-----BEGIN "),
                "{name}"
            );
            assert!(content.len() > 100, "{name}");
        }
    }
}
