//! Which listening port a dial may come from.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The sockets that one transport listens on.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ports {
    listening: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

/// A socket that is listened on until this is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    ports: Ports,
    addr: SocketAddr,
}

impl Ports {
    /// Notes that `addr` is listened on.
    pub(crate) fn listen(&self, addr: SocketAddr) -> Listening {
        self.lock().insert(addr);
        let ports = self.clone();
        Listening { ports, addr }
    }

    /// The socket to dial `remote` from, if one will do.
    pub(crate) fn for_dial(&self, remote: SocketAddr) -> Option<SocketAddr> {
        choose(&self.lock(), remote)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ports.lock().remove(&self.addr);
    }
}

/// Wildcards first: the system then picks the interface. A concrete address does where it can reach the remote at all.
fn choose(listening: &BTreeSet<SocketAddr>, remote: SocketAddr) -> Option<SocketAddr> {
    let reaches = |local: &&SocketAddr| {
        let (ours, theirs) = (local.ip(), remote.ip());
        let near = ours.is_unspecified() || ours.is_loopback() == theirs.is_loopback();
        ours.is_ipv4() == theirs.is_ipv4() && near
    };
    let fit = listening.iter().filter(reaches);
    fit.min_by_key(|local| !local.ip().is_unspecified()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(listening: &[&str], remote: &str) -> Option<String> {
        let listening = listening
            .iter()
            .map(|addr| addr.parse().expect("a socket"))
            .collect();
        choose(&listening, remote.parse().expect("a socket")).map(|addr| addr.to_string())
    }

    #[test]
    fn the_port_that_fits_the_remote() {
        let all = ["127.0.0.1:1", "192.0.2.1:2", "0.0.0.0:3", "[::1]:4", "[::]:5"];
        assert_eq!(chosen(&all, "198.51.100.1:9").as_deref(), Some("0.0.0.0:3"));
        assert_eq!(chosen(&all, "[2001:db8::1]:9").as_deref(), Some("[::]:5"));
        let concrete = ["127.0.0.1:1", "192.0.2.1:2", "[::1]:4"];
        assert_eq!(
            chosen(&concrete, "198.51.100.1:9").as_deref(),
            Some("192.0.2.1:2")
        );
        assert_eq!(chosen(&concrete, "127.0.0.1:9").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(chosen(&concrete, "[::1]:9").as_deref(), Some("[::1]:4"));
        assert_eq!(chosen(&concrete, "[2001:db8::1]:9"), None);
        assert_eq!(chosen(&[], "127.0.0.1:9"), None);
    }

    #[test]
    fn a_port_is_shared_while_it_is_listened_on() {
        let ports = Ports::default();
        let local = "0.0.0.0:3".parse().unwrap();
        let listening = ports.listen(local);
        assert_eq!(ports.for_dial("127.0.0.1:9".parse().unwrap()), Some(local));
        drop(listening);
        assert_eq!(ports.for_dial("127.0.0.1:9".parse().unwrap()), None);
    }
}
