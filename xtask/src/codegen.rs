//! `cargo xtask codegen`: Rust code of the protobuf schemas, checked in so that users need no generator.
//!
//! Every `crates/**/proto/<name>.proto` becomes `src/generated/<name>.rs` of the same crate.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use prost_build::Module;

use crate::workspace;

/// What `cargo xtask codegen` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a generated file is missing, different or has no schema.
    #[arg(long)]
    check: bool,
}

/// Why the code was not generated, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodegenError {
    #[error("{}: cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: not a valid schema", path.display())]
    Schema { path: PathBuf, source: protox::Error },
    #[error("{}: no code can be made of it", path.display())]
    Generate { path: PathBuf, source: io::Error },
    #[error("{}: imports are not supported, keep one self-contained schema a file", path.display())]
    Imports { path: PathBuf },
    #[error("{}: is not in a `proto` folder of a crate", path.display())]
    Place { path: PathBuf },
    #[error("rustfmt cannot be run (rustup component add rustfmt)")]
    Rustfmt(#[source] io::Error),
    #[error("rustfmt refused the code generated from {}", path.display())]
    Format { path: PathBuf },
    #[error("{} generated file(s) out of date; run `cargo xtask codegen` and commit the result", .0)]
    Stale(usize),
}

/// Generates, or checks, the code of every schema under `crates/`.
pub(crate) fn run(args: &Args) -> Result<(), CodegenError> {
    let root = workspace::root();
    let wanted = generate_all(&root)?;
    let orphans = orphans(&root, &wanted)?;
    if args.check {
        check(&wanted, &orphans)
    } else {
        write(&wanted, &orphans)
    }
}

/// A generated file: where it belongs and what it must hold.
struct Generated {
    path: PathBuf,
    code: String,
}

fn generate_all(root: &Path) -> Result<Vec<Generated>, CodegenError> {
    let crates = root.join("crates");
    let schemas = list(&crates, "proto")?;
    schemas.iter().map(|schema| generate(schema)).collect()
}

fn generate(schema: &Path) -> Result<Generated, CodegenError> {
    let path = || schema.to_path_buf();
    let folder = schema.parent().filter(|folder| folder.ends_with("proto"));
    let (Some(folder), Some(name)) = (folder, schema.file_stem()) else {
        return Err(CodegenError::Place { path: path() });
    };
    let set = protox::compile([schema], [folder])
        .map_err(|source| CodegenError::Schema { path: path(), source })?;
    let Ok([file]) = <[_; 1]>::try_from(set.file) else {
        return Err(CodegenError::Imports { path: path() });
    };
    let module = Module::from_protobuf_package_name(file.package());
    let code = prost_build::Config::new()
        .bytes(["."])
        .generate(vec![(module.clone(), file)])
        .map_err(|source| CodegenError::Generate { path: path(), source })?
        .remove(&module)
        .unwrap_or_default();
    let target = folder
        .with_file_name("src")
        .join("generated")
        .join(name)
        .with_extension("rs");
    Ok(Generated {
        path: target,
        code: format(schema, &header(schema, &code))?,
    })
}

/// Puts the crate's rules aside for code that nobody edits.
fn header(schema: &Path, code: &str) -> String {
    let name = schema.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "//! Generated from `proto/{name}` by `cargo xtask codegen`; edit the schema, not this file.\n\
         #![allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic, clippy::nursery)]\n\n\
         {code}"
    )
}

/// Formats as the workspace does, so that `cargo fmt` leaves generated files alone.
fn format(schema: &Path, code: &str) -> Result<String, CodegenError> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(workspace::root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(CodegenError::Rustfmt)?;
    let mut stdin = rustfmt
        .stdin
        .take()
        .ok_or_else(|| CodegenError::Format { path: schema.into() })?;
    stdin.write_all(code.as_bytes()).map_err(CodegenError::Rustfmt)?;
    drop(stdin);
    let output = rustfmt.wait_with_output().map_err(CodegenError::Rustfmt)?;
    match String::from_utf8(output.stdout) {
        Ok(code) if output.status.success() => Ok(code),
        _ => Err(CodegenError::Format { path: schema.into() }),
    }
}

/// Generated files that no schema stands for any more.
fn orphans(root: &Path, wanted: &[Generated]) -> Result<Vec<PathBuf>, CodegenError> {
    let mut sources = list(&root.join("crates"), "rs")?;
    sources.retain(|path| {
        let generated = path
            .parent()
            .is_some_and(|folder| folder.ends_with("src/generated"));
        generated && wanted.iter().all(|file| file.path != *path)
    });
    Ok(sources)
}

fn check(wanted: &[Generated], orphans: &[PathBuf]) -> Result<(), CodegenError> {
    let mut stale = orphans.len();
    for path in orphans {
        eprintln!("{}: has no schema any more", path.display());
    }
    for file in wanted {
        if fs::read_to_string(&file.path).ok().as_deref() != Some(file.code.as_str()) {
            eprintln!("{}: differs from its schema", file.path.display());
            stale += 1;
        }
    }
    if stale == 0 {
        Ok(())
    } else {
        Err(CodegenError::Stale(stale))
    }
}

fn write(wanted: &[Generated], orphans: &[PathBuf]) -> Result<(), CodegenError> {
    for path in orphans {
        fs::remove_file(path).map_err(|source| CodegenError::File {
            path: path.clone(),
            source,
        })?;
    }
    for file in wanted {
        let failed = |source| CodegenError::File {
            path: file.path.clone(),
            source,
        };
        fs::create_dir_all(file.path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        fs::write(&file.path, &file.code).map_err(failed)?;
    }
    Ok(())
}

fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, CodegenError> {
    workspace::files(folder, extension).map_err(|source| CodegenError::File {
        path: folder.to_path_buf(),
        source,
    })
}
