//! The addresses of the machine's interfaces, followed by asking the system now and then.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt, io,
    net::IpAddr,
    time::Duration,
};

use sinew_machine::Instant;
use sinew_runtime::{now, sleep_until};

/// How often the system is asked. One call takes some ten microseconds; a laptop that changes its network is reachable
/// again after at most as long as TCP takes for three SYNs.
const INTERVAL: Duration = Duration::from_secs(5);

/// An address that came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// An interface has it now.
    Added(IpAddr),
    /// No interface has it any more.
    Removed(IpAddr),
}

/// Asks the system which addresses its interfaces have.
type Ask = Box<dyn FnMut() -> io::Result<BTreeSet<IpAddr>> + Send>;

/// The addresses under which a wildcard socket of one family can be reached. Link-local addresses of IPv6 are left
/// out: they mean nothing without the name of an interface.
pub struct Interfaces {
    ask: Ask,
    known: BTreeSet<IpAddr>,
    changes: VecDeque<Change>,
    next: Instant,
}

impl Interfaces {
    /// The addresses of the family of `wildcard`.
    ///
    /// # Errors
    /// What the system says if it does not tell its interfaces.
    pub fn new(wildcard: IpAddr) -> io::Result<Self> {
        let ipv6 = wildcard.is_ipv6();
        Self::with(Box::new(move || system(ipv6)))
    }

    fn with(mut ask: Ask) -> io::Result<Self> {
        let known = ask()?;
        Ok(Self {
            ask,
            known,
            changes: VecDeque::new(),
            next: now() + INTERVAL,
        })
    }

    /// The addresses that are known now, in order. Changes that [`Interfaces::changed`] has not yet told are in it.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.known.iter().copied()
    }

    /// Waits for the next change.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Change {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return change;
            }
            sleep_until(self.next).await;
            self.next = now() + INTERVAL;
            // A system that does not answer now is asked again: the last answer stands.
            if let Ok(newest) = (self.ask)() {
                self.update(newest);
            }
        }
    }

    fn update(&mut self, newest: BTreeSet<IpAddr>) {
        let gone = self.known.difference(&newest).copied().map(Change::Removed);
        let come = newest.difference(&self.known).copied().map(Change::Added);
        self.changes.extend(gone.chain(come));
        self.known = newest;
    }
}

impl fmt::Debug for Interfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interfaces")
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

fn system(ipv6: bool) -> io::Result<BTreeSet<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?.into_iter();
    let of_family = interfaces
        .map(|interface| interface.ip())
        .filter(|ip| ip.is_ipv6() == ipv6);
    Ok(of_family.filter(|ip| !is_link_local(*ip)).collect())
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ips: &[&str]) -> BTreeSet<IpAddr> {
        ips.iter().map(|ip| ip.parse().expect("an ip")).collect()
    }

    fn scripted(mut answers: Vec<io::Result<BTreeSet<IpAddr>>>) -> Interfaces {
        answers.reverse();
        Interfaces::with(Box::new(move || answers.pop().expect("asked too often"))).expect("a first answer")
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_told_one_by_one_and_losses_first() {
        let first = set(&["127.0.0.1", "192.0.2.1"]);
        let silent = io::Error::from(io::ErrorKind::Other);
        let mut interfaces = scripted(vec![
            Ok(first.clone()),
            Ok(first),
            Err(silent),
            Ok(set(&["127.0.0.1", "192.0.2.7"])),
        ]);
        let started = now();
        assert_eq!(interfaces.changed().await, Change::Removed([192, 0, 2, 1].into()));
        assert_eq!(interfaces.changed().await, Change::Added([192, 0, 2, 7].into()));
        assert_eq!(now() - started, 3 * INTERVAL);
        assert_eq!(
            interfaces.addresses().collect::<Vec<_>>(),
            [IpAddr::from([127, 0, 0, 1]), [192, 0, 2, 7].into()]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_loses_nothing() {
        let mut interfaces = scripted(vec![Ok(set(&[])), Ok(set(&["192.0.2.1"]))]);
        let started = now();
        assert!(
            sinew_runtime::timeout(INTERVAL / 2, interfaces.changed())
                .await
                .is_err()
        );
        assert_eq!(interfaces.changed().await, Change::Added([192, 0, 2, 1].into()));
        assert_eq!(now() - started, INTERVAL);
    }

    #[tokio::test]
    async fn this_machine_has_a_loopback_interface() {
        let interfaces = Interfaces::new([0, 0, 0, 0].into()).expect("interfaces");
        assert!(interfaces.addresses().any(|ip| ip.is_loopback()));
        assert!(interfaces.addresses().all(|ip| ip.is_ipv4()));
    }

    #[test]
    fn addresses_that_need_the_name_of_an_interface() {
        assert!(is_link_local("fe80::1".parse().unwrap()));
        assert!(!is_link_local("2001:db8::1".parse().unwrap()));
        assert!(!is_link_local("169.254.1.1".parse().unwrap()));
    }
}
