//! Files that only their owner may read, written whole or not at all: private keys, and the keys of private networks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sinew_crypto::random;
use zeroize::Zeroizing;

use crate::key_file_error::MAX_FILE;
use crate::{KeyFileError, KeyFileFault};

/// The permission bits of everybody but the owner.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// What to do where there is a file already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Existing {
    /// Leave it, and fail.
    #[default]
    Keep,
    /// Put the new key in its place. What a symbolic link points to stays as it is.
    Replace,
}

/// Reads a secret of at most 64 KiB, and the permissions of its file where they let others than its owner at it.
///
/// # Errors
/// [`KeyFileError`] where the file cannot be read, is no regular file, or is too long.
pub fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), KeyFileError> {
    read_bounded(path).map_err(|fault| KeyFileError::new(path, fault))
}

/// Writes a secret into a file that only its owner can read (mode 0600, on systems that have modes). It is written beside
/// its place and then put there.
///
/// # Errors
/// [`KeyFileError`] where there is a file already and `existing` says to keep it, or the file cannot be written.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), KeyFileError> {
    write_whole(path, bytes, existing).map_err(|fault| KeyFileError::new(path, fault))
}

// ---- reading

fn read_bounded(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<u32>), KeyFileFault> {
    // Asked before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(KeyFileFault::Read)?.is_file() {
        return Err(KeyFileFault::NotAFile);
    }
    let file = File::open(path).map_err(KeyFileFault::Read)?;
    let loose_mode = loose_mode(&file.metadata().map_err(KeyFileFault::Read)?);
    // Room for all of it at once, so that growing leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE + 1));
    let mut head = file.take(MAX_FILE as u64 + 1);
    head.read_to_end(&mut bytes).map_err(KeyFileFault::Read)?;
    if bytes.len() > MAX_FILE {
        return Err(KeyFileFault::TooLong);
    }
    Ok((bytes, loose_mode))
}

#[cfg(unix)]
fn loose_mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & OTHERS != 0).then_some(mode)
}

#[cfg(not(unix))]
fn loose_mode(_metadata: &fs::Metadata) -> Option<u32> {
    None
}

// ---- writing

fn write_whole(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), KeyFileFault> {
    if existing == Existing::Keep && fs::symlink_metadata(path).is_ok() {
        return Err(KeyFileFault::Exists); // checked again below, where nothing can come between
    }
    let draft = Draft::write(path, bytes).map_err(KeyFileFault::Write)?;
    match existing {
        Existing::Replace => fs::rename(&draft.0, path).map_err(KeyFileFault::Write)?,
        // A link, unlike a rename, fails where there is something.
        Existing::Keep => match fs::hard_link(&draft.0, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeyFileFault::Exists);
            }
            linked => linked.map_err(KeyFileFault::Write)?,
        },
    }
    sync_directory(path).map_err(KeyFileFault::Write)
}

/// A file beside the one to be; it is removed when this is dropped (after a rename there is nothing left to remove).
struct Draft(PathBuf);

impl Draft {
    fn write(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut salt = [0; 8];
        random(&mut salt);
        let mut draft_name = std::ffi::OsString::from(".");
        draft_name.push(name);
        draft_name.push(format!(".{:016x}", u64::from_le_bytes(salt)));

        let path = path.with_file_name(draft_name);
        let mut file = create_private(&path)?;
        let draft = Self(path);
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the new name last: on Unix a name is lost with the machine until its directory is written.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
