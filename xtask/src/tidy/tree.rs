//! The workspace as the rules see it: packages from `cargo metadata`, sources and documents as text.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::source::Source;
use crate::workspace;

/// Everything a rule may look at.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) packages: Vec<Package>,
    pub(super) sources: Vec<Source>,
    pub(super) architecture: Document,
    pub(super) dependencies: Document,
}

/// A text file of the tree; empty if it is absent.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) path: String,
    pub(super) text: String,
}

/// A member of the workspace.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    /// Folder from the workspace's root, with forward slashes.
    pub(super) folder: String,
    pub(super) manifest: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// An edge in a manifest.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Folder of the member it leads to; `None` for a third-party crate.
    pub(super) member: Option<String>,
    pub(super) features: Vec<String>,
}

/// In which builds an edge counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

/// Why the workspace cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("{}: cannot be read", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cargo cannot be run")]
    Cargo(#[source] io::Error),
    #[error("cargo metadata failed: {0}")]
    Metadata(String),
    #[error("cargo metadata printed something else than its documented form")]
    Json(#[from] serde_json::Error),
    #[error("{}: is not Rust: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
}

impl Tree {
    /// Reads the workspace at `root`.
    pub(super) fn read(root: &Path) -> Result<Self, TreeError> {
        let root = root.canonicalize().map_err(|source| failed(root, source))?;
        Ok(Self {
            packages: packages(&root)?,
            sources: sources(&root)?,
            architecture: document(&root, "docs/architecture.md")?,
            dependencies: document(&root, "docs/dependencies.md")?,
        })
    }
}

impl Package {
    /// Path of the manifest.
    pub(super) fn path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// The line of the manifest that names a dependency; the first if it is not found.
    pub(super) fn line_of(&self, dependency: &str) -> usize {
        let names = |line: &str| {
            line.strip_prefix(dependency)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        self.manifest.lines().position(names).map_or(1, |index| index + 1)
    }
}

fn sources(root: &Path) -> Result<Vec<Source>, TreeError> {
    let paths = workspace::files(root, "rs").map_err(|source| failed(root, source))?;
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(|source| failed(path, source))?;
        Source::parse(relative(root, path), text).map_err(|reason| TreeError::Syntax {
            path: path.clone(),
            reason: reason.to_string(),
        })
    };
    paths.iter().map(read).collect()
}

fn document(root: &Path, path: &str) -> Result<Document, TreeError> {
    let full = root.join(path);
    let text = match fs::read_to_string(&full) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(&full, error)),
    };
    Ok(Document {
        path: path.to_owned(),
        text,
    })
}

fn packages(root: &Path) -> Result<Vec<Package>, TreeError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .map_err(TreeError::Cargo)?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(TreeError::Metadata(reason));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    metadata
        .packages
        .into_iter()
        .map(|package| package.read(root))
        .collect()
}

fn failed(path: &Path, source: io::Error) -> TreeError {
    TreeError::File {
        path: path.to_path_buf(),
        source,
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

/// What `cargo metadata` prints, as far as it is used.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
}

#[derive(Deserialize)]
struct RawPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<RawDependency>,
}

#[derive(Deserialize)]
struct RawDependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
    features: Vec<String>,
}

impl RawPackage {
    fn read(self, root: &Path) -> Result<Package, TreeError> {
        let manifest =
            fs::read_to_string(&self.manifest_path).map_err(|source| failed(&self.manifest_path, source))?;
        let folder = self.manifest_path.parent().unwrap_or(root);
        let edges = self.dependencies.into_iter().map(|edge| edge.read(root));
        Ok(Package {
            name: self.name,
            folder: relative(root, folder),
            manifest,
            dependencies: edges.collect(),
        })
    }
}

impl RawDependency {
    fn read(self, root: &Path) -> Dependency {
        Dependency {
            name: self.name,
            kind: match self.kind.as_deref() {
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                _ => Kind::Normal,
            },
            member: self.path.map(|path| relative(root, &path)),
            features: self.features,
        }
    }
}
