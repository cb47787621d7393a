//! `/p2p/<peer>` at the end of an address, with our peer id: the only place that knows the foreign one.

use multiaddr::{Multiaddr, Protocol};
use sinew_identity::{PeerId, PeerIdError};
use sinew_machine::{Blame, Culpable};
use thiserror::Error;

/// The address already ends in the id of another peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("address ends in /p2p/{found}, not /p2p/{wanted}")]
pub struct OtherPeer {
    /// The peer that should be at the end.
    pub wanted: PeerId,
    /// The peer that is.
    pub found: PeerId,
}

impl Culpable for OtherPeer {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

/// The component `/p2p/<peer>`.
///
/// # Panics
///
/// Never: what is a peer id to `sinew-identity` is one to `multiaddr`, which takes the same two hashes.
#[must_use]
pub fn p2p(peer: &PeerId) -> Protocol<'static> {
    let foreign = multiaddr::PeerId::from_bytes(peer.as_bytes());
    Protocol::P2p(foreign.expect("an identity or SHA-256 multihash of the right length"))
}

pub(crate) fn from_foreign(peer: &multiaddr::PeerId) -> Result<PeerId, PeerIdError> {
    PeerId::from_bytes(&peer.to_bytes())
}

/// The peer that the address ends in: the one that answers there. Of a circuit that is its far end, not the relay.
///
/// `None` also for an id that [`decode`](crate::decode) would have refused.
#[must_use]
pub fn peer(addr: &Multiaddr) -> Option<PeerId> {
    match addr.iter().last()? {
        Protocol::P2p(peer) => from_foreign(&peer).ok(),
        _ => None,
    }
}

/// The address without the peer that it ends in, and that peer.
#[must_use]
pub fn split_peer(addr: &Multiaddr) -> (Multiaddr, Option<PeerId>) {
    let mut addr = addr.clone();
    let peer = peer(&addr);
    if peer.is_some() {
        addr.pop();
    }
    (addr, peer)
}

/// The address with `/p2p/<peer>` at the end, where it is not there already.
///
/// # Errors
///
/// [`OtherPeer`] when it ends in another peer's id.
pub fn join_peer(addr: Multiaddr, peer: &PeerId) -> Result<Multiaddr, OtherPeer> {
    match self::peer(&addr) {
        Some(found) if found == *peer => Ok(addr),
        Some(found) => Err(OtherPeer { wanted: *peer, found }),
        None => Ok(addr.with(p2p(peer))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const A: &str = "12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ";
    const B: &str = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";

    #[test]
    fn split_and_join() {
        for id in [A, B] {
            let peer_id: PeerId = id.parse().unwrap();
            let bare = parse("/ip4/192.0.2.1/tcp/4001").unwrap();
            let full = parse(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{id}")).unwrap();
            assert_eq!(split_peer(&full), (bare.clone(), Some(peer_id)));
            assert_eq!(split_peer(&bare), (bare.clone(), None));
            assert_eq!(join_peer(bare, &peer_id).as_ref(), Ok(&full));
            assert_eq!(join_peer(full.clone(), &peer_id), Ok(full));
        }
    }

    #[test]
    fn another_peer_is_not_replaced() {
        let (wanted, found) = (A.parse().unwrap(), B.parse().unwrap());
        let addr = parse(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{B}")).unwrap();
        assert_eq!(join_peer(addr, &wanted), Err(OtherPeer { wanted, found }));
    }

    #[test]
    fn the_peer_of_a_circuit_is_its_far_end() {
        let relayed = parse(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{A}/p2p-circuit/p2p/{B}")).unwrap();
        assert_eq!(peer(&relayed), B.parse().ok());
        let unnamed = parse(&format!("/ip4/192.0.2.1/tcp/4001/p2p/{A}/p2p-circuit")).unwrap();
        assert_eq!(peer(&unnamed), None);
    }

    #[test]
    fn every_peer_id_fits() {
        for _ in 0..8 {
            let peer_id = PeerId::random();
            assert_eq!(peer(&Multiaddr::empty().with(p2p(&peer_id))), Some(peer_id));
        }
        // The longest key that goes in as it is, and the shortest.
        for len in [0, 42] {
            let peer_id = PeerId::from_bytes(&[&[0, len][..], &vec![7; len.into()]].concat()).unwrap();
            assert_eq!(peer(&Multiaddr::empty().with(p2p(&peer_id))), Some(peer_id));
        }
    }
}
