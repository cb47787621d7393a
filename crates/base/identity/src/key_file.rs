//! Key files: a private key on disk, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sinew_crypto::random;
use zeroize::Zeroizing;

use crate::key_file_error::MAX_FILE;
use crate::{KeyFileError, KeyFileFault, Keypair};

/// How a PEM block begins (RFC 7468, section 2).
const PEM_BEGIN: &[u8] = b"-----BEGIN ";
/// The permission bits of everybody but the owner.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// The form of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyFormat {
    /// The protobuf message of libp2p, the form that all libp2p implementations read.
    Protobuf,
    /// PKCS#8 in PEM, the form that other tools read.
    Pem,
}

/// What to do where there is a file already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Existing {
    /// Leave it, and fail.
    #[default]
    Keep,
    /// Put the new key in its place. What a symbolic link points to stays as it is.
    Replace,
}

/// A key read from a file, with what there is to say about the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyFile {
    /// The key.
    pub keypair: Keypair,
    /// The form that it was in.
    pub format: KeyFormat,
    /// The permissions of the file, where they let others than its owner at the key: worth a warning. Always `None`
    /// on systems without such permissions.
    pub loose_mode: Option<u32>,
}

impl KeyFile {
    /// Reads a key file of either form; the content tells which.
    ///
    /// # Errors
    /// [`KeyFileError`] where the file cannot be read, is no regular file, is too long, or holds no key.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        let path = path.as_ref();
        let at = |fault| KeyFileError::new(path, fault);
        let (bytes, loose_mode) = read_bounded(path).map_err(at)?;
        let (keypair, format) = decode(&bytes).map_err(at)?;
        Ok(Self {
            keypair,
            format,
            loose_mode,
        })
    }
}

impl Keypair {
    /// Reads the key in a file of either form. [`KeyFile::read`] also tells the form, and whether others can read it.
    ///
    /// # Errors
    /// [`KeyFileError`] where the file cannot be read, is no regular file, is too long, or holds no key.
    pub fn from_key_file(path: impl AsRef<Path>) -> Result<Self, KeyFileError> {
        KeyFile::read(path).map(|file| file.keypair)
    }

    /// Writes the key to a file that only its owner can read (mode 0600, on systems that have modes).
    ///
    /// The file appears whole or not at all, also where the machine stops in the middle: it is written beside its place and then
    /// put there.
    ///
    /// # Errors
    /// [`KeyFileError`] where there is a file already and `existing` says to keep it, or the file cannot be written.
    pub fn write_key_file(
        &self,
        path: impl AsRef<Path>,
        format: KeyFormat,
        existing: Existing,
    ) -> Result<(), KeyFileError> {
        let path = path.as_ref();
        match format {
            KeyFormat::Protobuf => write_whole(path, &self.to_protobuf(), existing),
            KeyFormat::Pem => write_whole(path, self.to_pem().as_bytes(), existing),
        }
        .map_err(|fault| KeyFileError::new(path, fault))
    }
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

fn decode(bytes: &[u8]) -> Result<(Keypair, KeyFormat), KeyFileFault> {
    if bytes.is_empty() {
        return Err(KeyFileFault::Empty);
    }
    if bytes.trim_ascii_start().starts_with(PEM_BEGIN) {
        let text = str::from_utf8(bytes).map_err(|_| KeyFileFault::NotText)?;
        let key = Keypair::from_pem(text.trim_ascii_start());
        Ok((key.map_err(KeyFileFault::Pem)?, KeyFormat::Pem))
    } else {
        let key = Keypair::from_protobuf(bytes);
        Ok((key.map_err(KeyFileFault::Protobuf)?, KeyFormat::Protobuf))
    }
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
