//! The file of a peerstore: one table of rows by peer id, changed in transactions.

use super::{error::DiskError, row, row::Clocks};
use crate::{PeerstoreBounds, peers::Peer};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use sinew_identity::PeerId;
use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Rows by the bytes of their peer id. Another form would be another table.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("peers/1");

/// How every file of redb begins. It is written last when one is made: until then zeros stand there.
const MAGIC: [u8; 9] = *b"redb\x1a\n\xa9\r\n";

/// The pages that redb keeps in memory, in bytes: all that is known is in our own tables already.
const CACHE: usize = 1 << 20;

/// Damaged files that are kept aside; beyond it the last one is replaced.
const MAX_ASIDE: usize = 8;

/// An open file.
pub(super) struct File {
    database: Database,
}

/// What is to be written.
pub(super) struct Changed {
    /// Rows that are new; none for a peer that is gone.
    pub(super) rows: Vec<(PeerId, Option<Vec<u8>>)>,
    /// All other peers than these are gone.
    pub(super) only: Option<HashSet<PeerId>>,
}

/// A file with what was in it.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) rows: Rows,
    /// Where a damaged file was put.
    pub(super) aside: Option<PathBuf>,
}

/// What was read of a file.
pub(super) struct Rows {
    /// Those written last come last.
    pub(super) peers: Vec<(PeerId, Peer)>,
    /// There are others that make no sense.
    pub(super) others: bool,
}

impl File {
    /// Opens the file at `path`, or makes one. A damaged one is kept aside, and a new one takes its place; what is no
    /// peerstore is left alone.
    pub(super) fn open(path: &Path, bounds: &PeerstoreBounds, clocks: Clocks) -> Result<Opened, DiskError> {
        let at = |source| DiskError::File {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at)?;
        }
        make_private(path).map_err(at)?;
        refuse_foreign(path)?;
        match read_whole(path, bounds, clocks) {
            Ok((file, rows)) => Ok(Opened {
                file,
                rows,
                aside: None,
            }),
            Err(error) if is_damage(&error) => {
                let aside = set_aside(path).map_err(at)?;
                tracing::error!(path = %path.display(), aside = %aside.display(), %error, "the peerstore is damaged; a new one takes its place");
                make_private(path).map_err(at)?;
                let (file, rows) = read_whole(path, bounds, clocks)
                    .map_err(|error| DiskError::new(path.to_owned(), error))?;
                let aside = Some(aside);
                Ok(Opened { file, rows, aside })
            }
            Err(error) => Err(DiskError::new(path.to_owned(), error)),
        }
    }

    /// Opens the file at `path`, and leaves a damaged one alone.
    pub(super) fn open_existing(
        path: &Path,
        bounds: &PeerstoreBounds,
        clocks: Clocks,
    ) -> Result<Opened, DiskError> {
        refuse_foreign(path)?;
        let (file, mut rows) = read_whole(path, bounds, clocks).map_err(|error| match error {
            error if is_damage(&error) => DiskError::Damaged {
                path: path.to_owned(),
                source: Box::new(error),
            },
            error => DiskError::new(path.to_owned(), error),
        })?;
        // They are for whoever writes to take away.
        rows.others = false;
        let aside = None;
        Ok(Opened { file, rows, aside })
    }

    /// Makes the changes in one transaction, which is on the disk when this returns: after a crash either all of it is
    /// there or nothing.
    pub(super) fn write(&self, changed: &Changed) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(ROWS)?;
            for (id, row) in &changed.rows {
                match row {
                    Some(row) => drop(table.insert(id.as_bytes(), row.as_slice())?),
                    None => drop(table.remove(id.as_bytes())?),
                }
            }
            if let Some(kept) = &changed.only {
                table.retain(|id, _| PeerId::from_bytes(id).is_ok_and(|id| kept.contains(&id)))?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Makes an empty file that only its owner can read, unless there is one.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Looks at how the file at `path` begins: a new one is empty, and what begins in another way is no peerstore.
fn refuse_foreign(path: &Path) -> Result<(), DiskError> {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    read.map_err(|source| DiskError::File {
        path: path.to_owned(),
        source,
    })?;
    if MAGIC.starts_with(&start) || start.iter().all(|byte| *byte == 0) {
        Ok(())
    } else {
        Err(DiskError::Foreign(path.to_owned()))
    }
}

/// Opens and reads. redb answers some kinds of damage with a panic, which is caught.
fn read_whole(path: &Path, bounds: &PeerstoreBounds, clocks: Clocks) -> Result<(File, Rows), redb::Error> {
    let read = AssertUnwindSafe(|| {
        let mut database = Database::builder().set_cache_size(CACHE).create(path)?;
        // Compares the checksums of all pages. What a crash left half done has been mended already.
        database.check_integrity()?;
        let rows = rows(&database, bounds, clocks)?;
        Ok((File { database }, rows))
    });
    catch_unwind(read).unwrap_or_else(|_| {
        Err(redb::Error::Corrupted(
            "the pages of the file make no sense".into(),
        ))
    })
}

/// All rows that can be read, in the order in which they were written; the others are left out.
fn rows(database: &Database, bounds: &PeerstoreBounds, clocks: Clocks) -> Result<Rows, redb::Error> {
    refuse_other_tables(database)?;
    // The first transaction makes the table.
    let transaction = database.begin_write()?;
    transaction.open_table(ROWS)?;
    transaction.commit()?;
    let table = database.begin_read()?.open_table(ROWS)?;
    let (mut found, mut others) = (Vec::new(), false);
    for entry in table.iter()? {
        let (id, row) = entry?;
        let peer = PeerId::from_bytes(id.value());
        match (peer, row::decode(row.value(), bounds, clocks)) {
            (Ok(id), Ok((written, peer))) => found.push((written, id, peer)),
            _ => {
                tracing::warn!("a row of the peerstore cannot be read and is left out");
                others = true;
            }
        }
    }
    found.sort_by_key(|(written, ..)| *written);
    let peers = found.into_iter().map(|(_, id, peer)| (id, peer)).collect();
    Ok(Rows { peers, others })
}

/// A file of redb that has tables, but not ours, is somebody else's.
fn refuse_other_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_read()?;
    let names: Vec<_> = transaction
        .list_tables()?
        .map(|table| table.name().to_owned())
        .collect();
    let has_others = !names.is_empty() || transaction.list_multimap_tables()?.next().is_some();
    if has_others && !names.iter().any(|name| name == ROWS.name()) {
        return Err(redb::Error::TableDoesNotExist(ROWS.name().to_owned()));
    }
    Ok(())
}

/// Whether the file itself is at fault, and not the system around it.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted => true,
        redb::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
        _ => false,
    }
}

fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let named = |number: usize| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".damaged-{number}"));
        path.with_file_name(name)
    };
    let free = (1..MAX_ASIDE).map(named).find(|aside| !aside.exists());
    let aside = free.unwrap_or_else(|| named(MAX_ASIDE));
    fs::rename(path, &aside)?;
    Ok(aside)
}
