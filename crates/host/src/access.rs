//! Allow and deny lists of addresses, subnets and peers, which survive a restart.

mod error;
mod file;
mod rules;
mod target;

pub use error::{AccessError, Malformed};
pub use rules::Access;
pub use target::{NoTarget, Target};

use multiaddr::Multiaddr;
use rules::Rules;
use sinew_core::{ConnectionGater, ConnectionInfo, Verdict};
use sinew_identity::PeerId;
use sinew_machine::Direction;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// A gater with two lists that an operator changes while nodes run. Cheap to clone; all clones are the same list, and
/// several nodes may have it.
///
/// An address is judged by the narrowest subnet that has a rule, a peer by its own rule. Who is denied is neither dialled
/// nor let in, and a connection that exists is closed as soon as a rule denies it. Who is allowed by its address counts
/// against no limit of its address, subnet or rate, and does not make room for others. Who is allowed by its peer does so
/// from its handshake on: before, when only its address is known, it is let in and counted as everybody who comes from
/// there, and may be refused. Who has no rule may connect as everybody may.
///
/// ```
/// use sinew_host::access::AccessList;
///
/// let list = AccessList::default();
/// list.deny("203.0.113.0/24".parse()?)?;
/// list.allow("203.0.113.7".parse()?)?;
/// assert_eq!(list.to_text(), "deny 203.0.113.0/24\nallow 203.0.113.7\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AccessList {
    state: Arc<State>,
}

struct State {
    path: Option<PathBuf>,
    rules: Mutex<Rules>,
    /// Held while rules change, until they are on the disk; `rules` is then free for whoever asks.
    writing: Mutex<()>,
    changes: watch::Sender<()>,
}

impl Default for AccessList {
    /// Lists that nobody is on, in memory only.
    fn default() -> Self {
        Self::new(None, Rules::default())
    }
}

impl AccessList {
    fn new(path: Option<PathBuf>, rules: Rules) -> Self {
        let state = State {
            path,
            rules: rules.into(),
            writing: Mutex::default(),
            changes: watch::Sender::new(()),
        };
        Self {
            state: Arc::new(state),
        }
    }

    /// The lists in a file, which is written anew, whole and atomically, with every change. A rule a line, `allow` or
    /// `deny` and a [`Target`]; what follows a `#` is left out, and lost with the next change. Blocks.
    ///
    /// # Errors
    /// [`AccessError`] where the file is missing or cannot be understood, every time, until somebody mends it: lists
    /// that become empty by themselves would let in whom they denied. The file is left as it is. New lists are
    /// begun with [`AccessList::create`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AccessError> {
        let path = path.as_ref().to_path_buf();
        let rules = file::read(&path)?;
        Ok(Self::new(Some(path), rules))
    }

    /// Lists that nobody is on, in a new file. Blocks.
    ///
    /// # Errors
    /// [`AccessError::Io`] where there is a file already, or it cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, AccessError> {
        let path = path.as_ref().to_path_buf();
        file::create(&path)?;
        Ok(Self::new(Some(path), Rules::default()))
    }

    /// Reads the file again, after it was edited by hand. Connections that the rules deny now are closed. Lists in
    /// memory stay as they are. Blocks.
    ///
    /// # Errors
    /// As [`AccessList::open`]; the rules that were there stay then.
    pub fn reload(&self) -> Result<(), AccessError> {
        let Some(path) = &self.state.path else {
            return Ok(());
        };
        // A change meanwhile is neither lost nor read by half.
        let _writing = self.write_lock();
        let rules = file::read(path)?;
        self.replace(rules);
        Ok(())
    }

    /// The lists in a text of the form that a file has, in memory only.
    ///
    /// # Errors
    /// [`Malformed`], with the line.
    pub fn from_text(text: &str) -> Result<Self, Malformed> {
        Ok(Self::new(None, Rules::parse(text)?))
    }

    /// The lists of these rules, in memory only; of two about one target the later holds.
    ///
    /// # Errors
    /// [`AccessError::Full`].
    pub fn from_rules(rules: impl IntoIterator<Item = (Target, Access)>) -> Result<Self, AccessError> {
        let mut list = Rules::default();
        for (target, access) in rules {
            list.set(target, access)?;
        }
        Ok(Self::new(None, list))
    }

    /// The lists as a file has them.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.lock().to_string()
    }

    /// Puts a target on the allow list; takes it off the deny list.
    ///
    /// # Errors
    /// [`AccessError`] when the lists are full or the file is not written; nothing has changed then. Blocks until the
    /// file is on the disk.
    pub fn allow(&self, target: Target) -> Result<(), AccessError> {
        self.change(|rules| rules.set(target, Access::Allow))
    }

    /// Puts a target on the deny list; takes it off the allow list. Connections that it denies are closed.
    ///
    /// # Errors
    /// As [`AccessList::allow`].
    pub fn deny(&self, target: Target) -> Result<(), AccessError> {
        self.change(|rules| rules.set(target, Access::Deny))
    }

    /// Takes a target off either list.
    ///
    /// # Errors
    /// As [`AccessList::allow`].
    pub fn forget(&self, target: &Target) -> Result<(), AccessError> {
        self.change(|rules| {
            rules.remove(target);
            Ok(())
        })
    }

    /// Every rule: subnets, the widest first, and then peers.
    #[must_use]
    pub fn rules(&self) -> Vec<(Target, Access)> {
        self.lock().iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.state.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lock(&self) -> MutexGuard<'_, ()> {
        self.state.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Rules) -> Result<(), AccessError>) -> Result<(), AccessError> {
        self.change_and(change, |rules| match &self.state.path {
            Some(path) => file::write(path, rules),
            None => Ok(()),
        })
    }

    /// Changes the rules once they are kept.
    fn change_and(
        &self,
        change: impl FnOnce(&mut Rules) -> Result<(), AccessError>,
        keep: impl FnOnce(&Rules) -> Result<(), AccessError>,
    ) -> Result<(), AccessError> {
        let _writing = self.write_lock();
        let before = self.lock().clone();
        let mut changed = before.clone();
        change(&mut changed)?;
        if changed == before {
            return Ok(());
        }
        keep(&changed)?;
        self.replace(changed);
        Ok(())
    }

    fn replace(&self, rules: Rules) {
        *self.lock() = rules;
        self.state.changes.send_replace(());
    }

    fn judge(&self, peer: Option<&PeerId>, addr: &Multiaddr) -> Verdict {
        let rules = self.lock();
        let found = [rules.of_addr(addr), peer.and_then(|peer| rules.of_peer(peer))];
        if found.contains(&Some(Access::Deny)) {
            Verdict::Deny
        } else if found.contains(&Some(Access::Allow)) {
            Verdict::Exempt
        } else {
            Verdict::Allow
        }
    }
}

impl ConnectionGater for AccessList {
    fn on_dial(&self, peer: Option<&PeerId>, addr: &Multiaddr) -> Verdict {
        self.judge(peer, addr)
    }

    fn on_accept(&self, _: &Multiaddr, remote: &Multiaddr) -> Verdict {
        self.judge(None, remote)
    }

    fn on_secured(&self, _: Direction, peer: &PeerId, remote: &Multiaddr) -> Verdict {
        self.judge(Some(peer), remote)
    }

    fn on_established(&self, connection: &ConnectionInfo) -> Verdict {
        self.judge(Some(&connection.peer), &connection.remote)
    }

    fn changes(&self) -> Option<watch::Receiver<()>> {
        Some(self.state.changes.subscribe())
    }
}

impl fmt::Debug for AccessList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessList")
            .field("path", &self.state.path)
            .field("rules", &self.lock().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, AccessList};
    use sinew_core::{ConnectionGater, Verdict};

    #[test]
    fn who_asks_does_not_wait_for_the_disk() {
        let list = AccessList::default();
        let from = "/ip4/1.2.3.4/tcp/1".parse().expect("an address");
        let denied = "1.2.3.4".parse().expect("a target");
        let slow_disk = |_: &_| {
            assert!(list.state.rules.try_lock().is_ok(), "whoever asks would wait");
            assert_eq!(list.on_accept(&from, &from), Verdict::Allow, "not kept yet");
            Ok(())
        };
        list.change_and(|rules| rules.set(denied, Access::Deny), slow_disk)
            .expect("in memory");
        assert_eq!(list.on_accept(&from, &from), Verdict::Deny);
    }
}
