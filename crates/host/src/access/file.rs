//! The file of the lists: read whole, written whole.

use super::{
    error::{AccessError, Malformed},
    rules::Rules,
};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Bytes of a file: more than all rules that there may be take, with a comment on each.
const MAX_BYTES: u64 = 4 << 20;

/// Damaged files that are kept aside.
const MAX_KEPT: usize = 100;

/// The rules in a file; none if there is no file. One that cannot be understood is renamed.
pub(super) fn read(path: &Path) -> Result<Rules, AccessError> {
    let failed = |error| AccessError::Io {
        path: path.to_path_buf(),
        error,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Rules::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    let error = match parse(&bytes) {
        Ok(rules) => return Ok(rules),
        Err(error) => error,
    };
    let kept = keep_aside(path).map_err(failed)?;
    tracing::error!(path = %path.display(), kept = %kept.display(), %error, "the access list is damaged");
    Err(AccessError::Damaged {
        path: path.to_path_buf(),
        kept,
        error,
    })
}

fn parse(bytes: &[u8]) -> Result<Rules, Malformed> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Malformed::new(1, "the file is longer than a list can be"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Malformed::new(line, "not UTF-8")
    })?;
    Rules::parse(text)
}

/// Renames the file to a name that nothing has.
fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    let names = (0..MAX_KEPT).map(|n| match n {
        0 => beside(path, ".damaged"),
        n => beside(path, &format!(".damaged-{n}")),
    });
    for kept in names {
        // A link fails if the name is taken: nothing is ever overwritten.
        match fs::hard_link(path, &kept) {
            Ok(()) => {
                fs::remove_file(path)?;
                return Ok(kept);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "it is damaged, and so many damaged ones were kept already that it stays",
    ))
}

/// Writes the rules: a crash leaves the file as it was or as it is to be.
pub(super) fn write(path: &Path, rules: &Rules) -> Result<(), AccessError> {
    write_anew(path, rules).map_err(|error| AccessError::Io {
        path: path.to_path_buf(),
        error,
    })
}

fn write_anew(path: &Path, rules: &Rules) -> io::Result<()> {
    let fresh = beside(path, ".new");
    let mut file = File::create(&fresh)?;
    file.write_all(rules.to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    // The name is on the disk once its directory is. Not every system opens a directory.
    if let Some(parent) = path.parent().filter(|_| cfg!(unix)) {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
