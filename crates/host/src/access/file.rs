//! The file of the lists: read whole, written whole.

use super::{
    error::{AccessError, Malformed},
    rules::Rules,
};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

/// Bytes of a file: more than all rules that there may be take, with a comment on each.
const MAX_BYTES: u64 = 4 << 20;

/// The rules in a file.
pub(super) fn read(path: &Path) -> Result<Rules, AccessError> {
    let file = File::open(path).map_err(failed(path))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed(path))?;
    parse(&bytes).map_err(|error| AccessError::Damaged {
        path: path.to_path_buf(),
        error,
    })
}

/// Makes a file without rules, where there is none.
pub(super) fn create(path: &Path) -> Result<(), AccessError> {
    let make = || {
        File::create_new(path)?.sync_all()?;
        sync_folder(path)
    };
    make().map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> AccessError {
    let path = path.to_path_buf();
    move |error| AccessError::Io { path, error }
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

/// Writes the rules: a crash leaves the file as it was or as it is to be.
pub(super) fn write(path: &Path, rules: &Rules) -> Result<(), AccessError> {
    write_anew(path, rules).map_err(failed(path))
}

fn write_anew(path: &Path, rules: &Rules) -> io::Result<()> {
    let mut fresh = OsString::from(path);
    fresh.push(".new");
    let mut file = File::create(&fresh)?;
    file.write_all(rules.to_string().as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder(path)
}

/// The name of a file is on the disk once its folder is. Not every system opens a folder.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|_| cfg!(unix)) {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
