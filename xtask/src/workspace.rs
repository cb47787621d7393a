//! Where the workspace lies, its members, and its files in a stable order.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// Folders that hold no source of ours.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", ".cache"];

/// The root of the workspace this tool was built from.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Every file under `folder` with the given extension, sorted; an absent folder has none.
pub(crate) fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if folder.is_dir() {
        collect(folder, extension, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                collect(&path, extension, found)?;
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(())
}

/// A path from the workspace's root, with forward slashes.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

/// A package of the workspace, as far as `cargo metadata` is used.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Edge>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A dependency of a member. `path` leads to another member.
#[derive(Debug, Deserialize)]
pub(crate) struct Edge {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    pub(crate) path: Option<PathBuf>,
    pub(crate) features: Vec<String>,
    pub(crate) optional: bool,
}

/// Why `cargo metadata` gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    #[error("cargo cannot be run")]
    Cargo(#[source] io::Error),
    #[error("cargo metadata failed: {0}")]
    Refused(String),
    #[error("cargo metadata printed something else than its documented form")]
    Json(#[from] serde_json::Error),
}

/// The cargo that runs this tool.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds a program of the workspace in release mode and runs it; whether it succeeded.
pub(crate) fn run(package: &str, args: &[OsString]) -> io::Result<bool> {
    let status = cargo()
        .args(["run", "--quiet", "--release", "--package", package, "--"])
        .args(args)
        .current_dir(root())
        .status()?;
    Ok(status.success())
}

/// Every member of the workspace at `root`.
pub(crate) fn members(root: &Path) -> Result<Vec<Member>, MetadataError> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .map_err(MetadataError::Cargo)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(MetadataError::Refused(reason));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    Ok(metadata.packages)
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Member>,
}
