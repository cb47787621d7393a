//! What is known of peers, on disk as well.

mod error;
mod file;
mod row;
mod writer;

pub use error::DiskError;

use crate::{
    MemoryPeerstore, PeerstoreBounds,
    peers::{Changes, Peer, Peers},
};
use file::{Changed, File, Opened};
use multiaddr::Multiaddr;
use row::Clocks;
use sinew_core::{Learned, Lifetime, PeerInfo, Peerstore};
use sinew_identity::PeerId;
use sinew_machine::{Instant, ProtocolId};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Peers that are copied out of the tables in one go.
const PORTION: usize = 64;

/// Keeps what is known of peers in memory and, with some delay, in a file, so that it survives a restart.
///
/// Every question is answered from memory. Changes are written by [`DiskPeerstore::flush`], in one transaction each
/// time: a process that is killed loses what was not flushed, and never what was. Added to a node as a service it
/// flushes every ten seconds and when the node ends; dropping the last clone flushes once more and blocks for that
/// long. Only one process can have the file open.
///
/// The bounds hold for the file as they do for the memory: who is forgotten to make room leaves the file too. The
/// file is readable by its owner only (mode 0600, on systems that have modes).
#[derive(Clone)]
pub struct DiskPeerstore {
    state: Arc<State>,
}

struct State {
    memory: MemoryPeerstore,
    /// Held while changes are written, so that the later of two flushes writes the later state.
    file: Mutex<File>,
    path: PathBuf,
    aside: Option<PathBuf>,
}

impl DiskPeerstore {
    /// Opens the peerstore at `path`, or makes a new one; missing folders are made. Reads all of it, which blocks.
    ///
    /// A damaged file is kept aside beside the new one: see [`DiskPeerstore::set_aside`]. A file of something else is left
    /// alone.
    ///
    /// # Errors
    /// [`DiskError`] when another process has it open, the system refuses the file, or it is no peerstore.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DiskError> {
        Self::open_with(path, PeerstoreBounds::default())
    }

    /// As [`DiskPeerstore::open`], with bounds.
    ///
    /// # Errors
    /// As [`DiskPeerstore::open`].
    pub fn open_with(path: impl AsRef<Path>, bounds: PeerstoreBounds) -> Result<Self, DiskError> {
        let path = path.as_ref();
        let opened = File::open(path, &bounds, Clocks::now())?;
        Ok(Self::with(path, bounds, opened))
    }

    /// Opens the peerstore at `path`, which has to be there and sound: for whoever only wants to read it. Reads all of it,
    /// which blocks.
    ///
    /// # Errors
    /// As [`DiskPeerstore::open`], and [`DiskError::Damaged`]; the file stays where and as it is then.
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self, DiskError> {
        let (path, bounds) = (path.as_ref(), PeerstoreBounds::default());
        let opened = File::open_existing(path, &bounds, Clocks::now())?;
        Ok(Self::with(path, bounds, opened))
    }

    fn with(path: &Path, bounds: PeerstoreBounds, opened: Opened) -> Self {
        let Opened { file, rows, aside } = opened;
        let path = path.to_owned();
        let mut tables = Peers::new(bounds);
        tables.record_changes();
        for (id, peer) in rows.peers {
            tables.touch(&id, |entry| *entry = peer);
        }
        // Who was read stands in the file as it is; whom the bounds keep out leaves it, and so does what makes no sense.
        let mut changes = tables.take_changes();
        changes.peers.retain(|id| tables.get(id).is_none());
        changes.sweep |= rows.others;
        tables.give_back(changes);
        let state = State {
            memory: MemoryPeerstore::from(tables),
            file: Mutex::new(file),
            path,
            aside,
        };
        Self { state: state.into() }
    }

    /// Where a damaged file was put when this was opened, if it was damaged.
    #[must_use]
    pub fn set_aside(&self) -> Option<&Path> {
        self.state.aside.as_deref()
    }

    /// Writes what has changed since the last time, and says how many peers that were. It is on the disk when this
    /// returns. Blocks; asynchronous code has it called by the service.
    ///
    /// # Errors
    /// [`DiskError`]; what was not written is kept for the next time.
    pub fn flush(&self) -> Result<usize, DiskError> {
        self.state.flush()
    }
}

impl State {
    fn flush(&self) -> Result<usize, DiskError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.memory.lock().take_changes();
        if changes.peers.is_empty() && !changes.sweep {
            return Ok(0);
        }
        let changed = self.changed(&changes, row::encode);
        match file.write(&changed) {
            Ok(()) => Ok(changed.rows.len()),
            Err(error) => {
                self.memory.lock().give_back(changes);
                Err(DiskError::new(self.path.clone(), error))
            }
        }
    }

    /// What is to be written. Everybody who asks the peerstore waits for its tables: they are held for a portion at a time,
    /// and not while it is encoded. Who changes meanwhile is written the next time, too.
    fn changed(&self, changes: &Changes, encode: impl Fn(&Peer, Clocks) -> Option<Vec<u8>>) -> Changed {
        let (ids, clocks) = (Vec::from_iter(&changes.peers), Clocks::now());
        let mut rows = Vec::with_capacity(ids.len());
        for portion in ids.chunks(PORTION) {
            let peers = self.memory.lock();
            let known: Vec<_> = portion.iter().map(|id| (**id, peers.get(id).cloned())).collect();
            drop(peers);
            let row = |(id, peer): (_, Option<Peer>)| (id, peer.and_then(|peer| encode(&peer, clocks)));
            rows.extend(known.into_iter().map(row));
        }
        let ids = || self.memory.lock().ids().copied().collect();
        let only = changes.sweep.then(ids);
        Changed { rows, only }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::warn!(%error, "the peerstore was not written at its end");
        }
    }
}

impl Peerstore for DiskPeerstore {
    fn add_addrs(&self, peer: &PeerId, addrs: &[Multiaddr], lifetime: Lifetime, now: Instant) {
        self.state.memory.add_addrs(peer, addrs, lifetime, now);
    }

    fn addrs(&self, peer: &PeerId, now: Instant) -> Vec<Multiaddr> {
        self.state.memory.addrs(peer, now)
    }

    fn update(&self, peer: &PeerId, learned: &Learned, now: Instant) {
        self.state.memory.update(peer, learned, now);
    }

    fn info(&self, peer: &PeerId, now: Instant) -> Option<PeerInfo> {
        self.state.memory.info(peer, now)
    }

    fn protocols(&self, peer: &PeerId) -> Option<Arc<[ProtocolId]>> {
        self.state.memory.protocols(peer)
    }

    fn peers(&self) -> Vec<PeerId> {
        self.state.memory.peers()
    }

    fn set_connected(&self, peer: &PeerId, connected: bool, now: Instant) {
        self.state.memory.set_connected(peer, connected, now);
    }

    fn remove(&self, peer: &PeerId) {
        self.state.memory.remove(peer);
    }
}

impl fmt::Debug for DiskPeerstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskPeerstore")
            .field("path", &self.state.path)
            .field("memory", &self.state.memory)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{DiskPeerstore, PORTION};
    use sinew_core::{Learned, Peerstore};
    use sinew_identity::PeerId;
    use sinew_machine::Instant;

    #[test]
    fn the_tables_are_free_while_rows_are_encoded() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = DiskPeerstore::open(folder.path().join("peers.redb")).expect("opens");
        let mut learned = Learned::default();
        learned.agent = Some("agent/1".into());
        let peers = 2 * PORTION + 1;
        for _ in 0..peers {
            store.update(&PeerId::random(), &learned, Instant::ZERO);
        }
        let changes = store.state.memory.lock().take_changes();
        let changed = store.state.changed(&changes, |peer, _| {
            assert!(store.state.memory.try_lock(), "whoever asks would wait");
            peer.known.agent.as_deref().map(|agent| agent.as_bytes().to_vec())
        });
        let row = Some(b"agent/1".to_vec());
        assert_eq!(
            changed.rows.iter().filter(|(_, found)| *found == row).count(),
            peers
        );
    }
}
