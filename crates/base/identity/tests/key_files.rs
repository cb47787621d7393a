//! Key files: both forms, permissions, overwriting, and files that are none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::fs;

use sinew_identity::{Existing, KeyFile, KeyFileFault, KeyFormat, Keypair};
use tempfile::TempDir;

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn fault(result: Result<impl std::fmt::Debug, sinew_identity::KeyFileError>) -> KeyFileFault {
    result.unwrap_err().fault
}

fn keys() -> [Keypair; 4] {
    [
        Keypair::generate(),
        Keypair::generate_secp256k1(),
        Keypair::generate_ecdsa(),
        Keypair::generate_rsa(2048).unwrap(),
    ]
}

#[test]
fn every_key_comes_back_from_a_file_of_either_form() {
    let directory = TempDir::new().unwrap();
    for (key, name) in keys().iter().zip(["a", "b", "c", "d"]) {
        for (format, ending) in [(KeyFormat::Protobuf, "key"), (KeyFormat::Pem, "pem")] {
            let path = directory.path().join(format!("{name}.{ending}"));
            key.write_key_file(&path, format, Existing::Keep).unwrap();
            let file = KeyFile::read(&path).unwrap();
            assert_eq!(file.format, format);
            assert_eq!(file.loose_mode, None);
            assert_eq!(*file.keypair.to_protobuf(), *key.to_protobuf());
            assert_eq!(Keypair::from_key_file(&path).unwrap().peer_id(), key.peer_id());
        }
    }
    assert_eq!(names(&directory).len(), 8, "no drafts are left");
}

#[test]
fn a_file_is_not_overwritten_unless_that_is_asked_for() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key");
    let (old, new) = (Keypair::generate(), Keypair::generate());
    old.write_key_file(&path, KeyFormat::Protobuf, Existing::Keep)
        .unwrap();

    let refused = new.write_key_file(&path, KeyFormat::Protobuf, Existing::default());
    assert!(matches!(fault(refused), KeyFileFault::Exists));
    assert_eq!(Keypair::from_key_file(&path).unwrap().peer_id(), old.peer_id());

    new.write_key_file(&path, KeyFormat::Pem, Existing::Replace)
        .unwrap();
    assert_eq!(Keypair::from_key_file(&path).unwrap().peer_id(), new.peer_id());
    assert_eq!(names(&directory), ["key"]);
}

#[test]
fn two_writers_of_one_file_leave_one_whole_key() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key");
    let keys: [Keypair; 8] = std::array::from_fn(|_| Keypair::generate());
    let write = |key: &Keypair| {
        key.write_key_file(&path, KeyFormat::Protobuf, Existing::Keep)
            .is_ok()
    };
    let written = std::thread::scope(|scope| {
        let writers: Vec<_> = keys.iter().map(|key| scope.spawn(|| write(key))).collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(written.iter().filter(|written| **written).count(), 1);
    let winner = &keys[written.iter().position(|written| *written).unwrap()];
    assert_eq!(Keypair::from_key_file(&path).unwrap().peer_id(), winner.peer_id());
    assert_eq!(names(&directory), ["key"]);
}

#[test]
fn files_that_hold_no_key_say_why() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key");
    let read = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        fault(KeyFile::read(&path))
    };
    assert!(matches!(read(b""), KeyFileFault::Empty));
    assert!(matches!(read(b"no key"), KeyFileFault::Protobuf(_)));
    assert!(matches!(read(&[8; 65_537]), KeyFileFault::TooLong));
    assert!(matches!(read(b"-----BEGIN \xff"), KeyFileFault::NotText));
    assert!(matches!(
        read(b"-----BEGIN PRIVATE KEY-----\n"),
        KeyFileFault::Pem(_)
    ));
    assert!(matches!(
        fault(KeyFile::read(directory.path())),
        KeyFileFault::NotAFile
    ));
    assert!(matches!(
        fault(KeyFile::read(directory.path().join("none"))),
        KeyFileFault::Read(_)
    ));

    let error = KeyFile::read(directory.path().join("none")).unwrap_err();
    assert!(error.to_string().contains("none"), "the error names the file");
    assert!(error.source().is_some());
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let key = Keypair::generate();
    for path in [
        directory.path().join("no/such/directory"),
        directory.path().join(".."),
    ] {
        for existing in [Existing::Keep, Existing::Replace] {
            assert!(key.write_key_file(&path, KeyFormat::Pem, existing).is_err());
        }
    }
    assert!(names(&directory).is_empty());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_key_file_is_for_its_owner_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("key");
        let key = Keypair::generate();
        key.write_key_file(&path, KeyFormat::Protobuf, Existing::Keep)
            .unwrap();
        assert_eq!(mode(&path), 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(KeyFile::read(&path).unwrap().loose_mode, Some(0o644));

        key.write_key_file(&path, KeyFormat::Protobuf, Existing::Replace)
            .unwrap();
        assert_eq!(
            mode(&path),
            0o600,
            "a replaced file does not keep the mode of the old one"
        );
    }

    #[test]
    fn a_symbolic_link_is_kept_or_replaced_but_never_followed_for_writing() {
        let directory = TempDir::new().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        symlink(&target, &link).unwrap();
        let key = Keypair::generate();

        let refused = key.write_key_file(&link, KeyFormat::Protobuf, Existing::Keep);
        assert!(matches!(fault(refused), KeyFileFault::Exists));
        assert!(!target.exists());

        key.write_key_file(&link, KeyFormat::Protobuf, Existing::Replace)
            .unwrap();
        assert!(!target.exists());
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }
}
