//! Which addresses a node dials on whose word.

/// Whether a node connects to its own machine and networks because somebody else told it to.
///
/// What the application gives to the letter is always dialled. The policy is about the rest: what peers tell, and
/// what names lead to. A name that leads to `127.0.0.1` or to a router's `192.168.1.1`, and a peer that announces
/// them, turn a node into a tool against its own network (DNS rebinding is one form of it).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum AddressPolicy {
    /// Names and peers elsewhere lead to public addresses only: not to loopback, link-local, private, unique-local,
    /// carrier-grade-NAT, IPv4-mapped, NAT64 or reserved ones. A peer that is itself in a local network may tell of
    /// addresses in local networks, and one on this machine of this machine.
    #[default]
    Public,
    /// As [`AddressPolicy::Public`], but the names that the application gives may lead anywhere: for names of one's
    /// own network, and for people who type names.
    LocalNames,
    /// Everything is dialled, whoever says so: for networks without strangers.
    Any,
}
