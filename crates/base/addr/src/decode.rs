//! Strict and bounded reading of multiaddrs from bytes and text.

use multiaddr::{Multiaddr, Protocol};
use sinew_identity::{PeerId, PeerIdError};
use sinew_machine::{Blame, Culpable};
use thiserror::Error;

use crate::peer::{from_foreign, p2p};

/// The longest multiaddr in bytes.
///
/// Two DNS names of the greatest length (253 each, in `/dns` and `/sni`), two peer ids, and certificate hashes for a
/// relay's address come to some 750 bytes; the specification sets no bound.
pub const MAX_LEN: usize = 1024;

/// The most components that a multiaddr may have.
///
/// A browser's WebRTC address through a WebTransport relay has twelve; the specification sets no bound.
pub const MAX_COMPONENTS: usize = 32;

/// Why bytes or text are not an address for us.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AddrError {
    /// There is no component at all.
    #[error("empty multiaddr")]
    Empty,
    /// More bytes than [`MAX_LEN`].
    #[error("multiaddr of {0} bytes where at most {MAX_LEN} are allowed")]
    TooLong(usize),
    /// More components than [`MAX_COMPONENTS`].
    #[error("multiaddr of more than {MAX_COMPONENTS} components")]
    TooManyComponents,
    /// Not a multiaddr, or one with a component that is not known.
    #[error("not a multiaddr: {0}")]
    Malformed(#[from] multiaddr::Error),
    /// What stands behind `/p2p/` is no peer id.
    #[error("peer id in a multiaddr: {0}")]
    PeerId(#[from] PeerIdError),
    /// A peer id follows another one, so that it is not clear who answers there.
    #[error("two peer ids in a row in a multiaddr")]
    TwoPeers,
    /// A component is written in a form that is not its own, so that one address would have two.
    #[error("multiaddr is not in its one form")]
    NotCanonical,
    /// A name or path is empty, or has a character that cannot stand in it.
    #[error("value of /{0} is empty or has a forbidden character")]
    Value(&'static str),
}

impl Culpable for AddrError {
    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

/// Reads the bytes of a multiaddr.
///
/// # Errors
///
/// For anything but whole, known components that pass [`check`]; see [`AddrError`].
pub fn decode(bytes: &[u8]) -> Result<Multiaddr, AddrError> {
    within_bounds(bytes.len())?;
    let addr = Multiaddr::try_from(bytes.to_vec())?;
    check(&addr)?;
    Ok(addr)
}

/// Reads the text of a multiaddr, with peer ids in any of their text forms.
///
/// Slashes at the end are dropped.
///
/// # Errors
///
/// For anything but known components with values that pass [`check`]; see [`AddrError`].
pub fn parse(text: &str) -> Result<Multiaddr, AddrError> {
    // Percent-encoding makes three characters of a byte, and no component has a denser text than that but names of
    // protocols: a text this long has too many bytes or too many components.
    within_bounds(text.len().div_ceil(4))?;
    let text = text.trim_end_matches('/');
    if text.is_empty() {
        return Err(AddrError::Empty);
    }
    let mut parts = text.split('/').peekable();
    if parts.next() != Some("") {
        return Err(multiaddr::Error::InvalidMultiaddr.into());
    }
    let mut addr = Multiaddr::empty();
    while let Some(name) = parts.peek() {
        // spec: peer-ids, String representation: a CID is a peer id too; the crate reads base58 only.
        if matches!(*name, "p2p" | "ipfs") {
            parts.next();
            let peer: PeerId = parts.next().unwrap_or_default().parse()?;
            addr.push(p2p(&peer));
        } else {
            addr.push(Protocol::from_str_parts(&mut parts)?);
        }
    }
    check(&addr)?;
    Ok(addr)
}

/// Whether an address that was made elsewhere keeps the bounds and rules of [`decode`].
///
/// # Errors
///
/// When it does not; see [`AddrError`].
pub fn check(addr: &Multiaddr) -> Result<(), AddrError> {
    within_bounds(addr.len())?;
    if addr.is_empty() {
        return Err(AddrError::Empty);
    }
    let mut behind_peer = false;
    for (index, component) in addr.iter().enumerate() {
        if index == MAX_COMPONENTS {
            return Err(AddrError::TooManyComponents);
        }
        let is_peer = matches!(component, Protocol::P2p(_));
        if is_peer && behind_peer {
            return Err(AddrError::TwoPeers);
        }
        behind_peer = is_peer;
        check_component(&component)?;
    }
    // The crate reads `/ws` in two codes, its own one with the path "/" being the second.
    if addr.iter().collect::<Multiaddr>() == *addr {
        Ok(())
    } else {
        Err(AddrError::NotCanonical)
    }
}

fn within_bounds(len: usize) -> Result<(), AddrError> {
    if len > MAX_LEN {
        Err(AddrError::TooLong(len))
    } else {
        Ok(())
    }
}

fn check_component(component: &Protocol<'_>) -> Result<(), AddrError> {
    let sound = match component {
        Protocol::P2p(peer) => {
            from_foreign(peer)?;
            true
        }
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) | Protocol::Dnsaddr(name) => {
            is_name(name)
        }
        Protocol::Sni(name) | Protocol::Ip6zone(name) => is_name(name),
        Protocol::Unix(path) | Protocol::HttpPath(path) | Protocol::Ws(path) | Protocol::Wss(path) => {
            !path.is_empty()
        }
        // Port zero means "any" elsewhere; an onion service has no such port.
        Protocol::Onion(_, port) => *port != 0,
        Protocol::Onion3(onion) => onion.port() != 0,
        _ => true,
    };
    if sound {
        Ok(())
    } else {
        Err(AddrError::Value(component.tag()))
    }
}

/// A name that can stand in the text form, and that no resolver or log line can be led astray with.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '/' || c.is_control())
}
