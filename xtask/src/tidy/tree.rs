//! The workspace as the rules see it: packages from `cargo metadata`, sources and documents as text.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::source::Source;
use crate::workspace::{self, Edge, Member, MetadataError};

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
    /// Whether a feature of the package switches it on.
    pub(super) optional: bool,
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
    #[error("cargo cannot describe the workspace")]
    Metadata(#[from] MetadataError),
    #[error("{}: is not Rust: {reason}", path.display())]
    Syntax { path: PathBuf, reason: String },
}

impl Tree {
    /// Reads the workspace at `root`.
    pub(super) fn read(root: &Path) -> Result<Self, TreeError> {
        let root = root.canonicalize().map_err(|source| failed(root, source))?;
        let members = workspace::members(&root)?.into_iter();
        let packages = members.map(|member| read_package(member, &root));
        Ok(Self {
            packages: packages.collect::<Result<_, _>>()?,
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
        Source::parse(workspace::relative(root, path), text).map_err(|reason| TreeError::Syntax {
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

fn failed(path: &Path, source: io::Error) -> TreeError {
    TreeError::File {
        path: path.to_path_buf(),
        source,
    }
}

/// A package as `cargo metadata` names it, with its manifest's text.
fn read_package(package: Member, root: &Path) -> Result<Package, TreeError> {
    let manifest = fs::read_to_string(&package.manifest_path)
        .map_err(|source| failed(&package.manifest_path, source))?;
    let edges = package.dependencies.into_iter().map(|edge| read_edge(edge, root));
    Ok(Package {
        folder: workspace::relative(root, package.manifest_path.parent().unwrap_or(root)),
        name: package.name,
        manifest,
        dependencies: edges.collect(),
    })
}

fn read_edge(edge: Edge, root: &Path) -> Dependency {
    Dependency {
        name: edge.name,
        kind: match edge.kind.as_deref() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
        member: edge.path.map(|path| workspace::relative(root, &path)),
        features: edge.features,
        optional: edge.optional,
    }
}
