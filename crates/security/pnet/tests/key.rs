//! Keys: their texts, their files, and what is never shown.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use sinew_identity::{Existing, KeyFileFault};
use sinew_pnet::{PreSharedKey, SwarmKeyError, SwarmKeyFileError};
use std::path::PathBuf;

/// A folder of one test's own, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sinew-pnet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("swarm.key")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_key_is_never_shown() {
    let key = PreSharedKey::from_bytes(&[0xab; 32]);
    let shown = format!("{key:?} {key:#?} {}", key.fingerprint());
    assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
    assert_eq!(key.fingerprint().len(), 16);
    assert_ne!(
        key.fingerprint(),
        PreSharedKey::from_bytes(&[0xac; 32]).fingerprint()
    );
    assert_ne!(
        PreSharedKey::generate().fingerprint(),
        PreSharedKey::generate().fingerprint()
    );
}

#[test]
fn files_are_written_for_their_owner_alone_and_read_again() {
    let folder = Folder::new("written");
    let key = PreSharedKey::generate();
    key.write_file(folder.file(), Existing::Keep).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    let read = PreSharedKey::read_file(folder.file()).unwrap();
    assert_eq!(read.to_swarm_key(), key.to_swarm_key());
    let again = PreSharedKey::generate().write_file(folder.file(), Existing::Keep);
    assert!(matches!(again.unwrap_err().fault, KeyFileFault::Exists));
}

#[test]
fn files_that_hold_no_key() {
    let folder = Folder::new("refused");
    let missing = PreSharedKey::read_file(folder.file()).unwrap_err();
    assert!(matches!(missing, SwarmKeyFileError::File(_)), "{missing}");
    std::fs::write(folder.file(), "/key/swarm/psk/1.0.0/\n/base16/\nshort\n").unwrap();
    let error = PreSharedKey::read_file(folder.file()).unwrap_err();
    assert!(error.to_string().contains("swarm.key"), "{error}");
    std::fs::write(folder.file(), vec![b'a'; 1 << 20]).unwrap();
    let long = PreSharedKey::read_file(folder.file()).unwrap_err();
    assert!(
        matches!(long, SwarmKeyFileError::File(ref error) if matches!(error.fault, KeyFileFault::TooLong))
    );
}

#[test]
fn a_bare_key_has_exactly_its_bytes() {
    let file = |key: &[u8]| [b"/key/swarm/psk/1.0.0/\n/bin/\n", key].concat();
    assert!(PreSharedKey::from_swarm_key(&file(&[b'\n'; 32])).is_ok());
    for length in [0, 31, 33] {
        let read = PreSharedKey::from_swarm_key(&file(&vec![7; length]));
        assert_eq!(read.unwrap_err(), SwarmKeyError::Length, "{length}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(bytes: [u8; 32]) {
        let key = PreSharedKey::from_bytes(&bytes);
        let read = PreSharedKey::from_swarm_key(&key.to_swarm_key()).unwrap();
        prop_assert_eq!(read.to_swarm_key(), key.to_swarm_key());
    }

    #[test]
    fn arbitrary_bytes_are_no_key(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(PreSharedKey::from_swarm_key(&bytes).is_err());
    }
}
