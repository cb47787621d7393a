//! A peer as it stands on disk, and back. Lifetimes are told in wall time there, in monotonic time here.

use crate::{
    PeerstoreBounds,
    generated::row::{Addr as WireAddr, Row},
    peers::Peer,
};
use multiaddr::Multiaddr;
use prost::Message;
use sinew_core::Learned;
use sinew_identity::PublicKey;
use sinew_machine::{Instant, ProtocolId, WallTime};
use sinew_wire::protobuf::{self, Bounds, DecodeError};
use std::time::Duration;

/// The longest row that is read: a thousand protocols of 140 bytes, 64 addresses, a record of 8 KiB and a long agent
/// fit twice.
const MAX_ROW: usize = 512 << 10;

/// Addresses and protocols of a row that are read, whatever the bounds are now: it may have been written under others.
const MAX_LIST: usize = 4096;

/// The two clocks, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) mono: Instant,
    pub(crate) wall: WallTime,
}

impl Clocks {
    pub(crate) fn now() -> Self {
        Self {
            mono: sinew_runtime::now(),
            wall: sinew_runtime::wall_now(),
        }
    }

    fn to_wall(self, at: Instant) -> u64 {
        let ahead = u64::try_from((at - self.mono).as_nanos()).unwrap_or(u64::MAX);
        self.wall.0.saturating_add(ahead)
    }

    /// `None` when it lies behind.
    fn to_mono(self, at: u64) -> Option<Instant> {
        let ahead = at.checked_sub(self.wall.0).filter(|ahead| *ahead > 0)?;
        Some(self.mono + Duration::from_nanos(ahead))
    }
}

/// A peer as bytes; `None` when nothing of it is worth keeping.
pub(super) fn encode(peer: &Peer, clocks: Clocks) -> Option<Vec<u8>> {
    let known = &peer.known;
    let row = Row {
        addrs: peer
            .alive(clocks.mono)
            .map(|(addr, expires)| wire_addr(addr, expires, clocks))
            .collect(),
        protocols: known
            .protocols
            .iter()
            .flat_map(|list| list.iter())
            .map(ToString::to_string)
            .collect(),
        key: known.key.as_ref().map(|key| key.to_protobuf().into()),
        agent: known.agent.as_deref().map(str::to_owned),
        record: known.record.clone(),
        latency: known
            .latency
            .map(|latency| u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)),
        written: 0,
    };
    let empty = row == Row::default();
    let written = clocks.wall.0;
    (!empty).then(|| Row { written, ..row }.encode_to_vec())
}

fn wire_addr(addr: &Multiaddr, expires: Option<Instant>, clocks: Clocks) -> WireAddr {
    WireAddr {
        addr: addr.to_vec().into(),
        expires: expires.map(|expires| clocks.to_wall(expires)),
    }
}

/// A peer from bytes, and when they were written. What has ended meanwhile is left out.
pub(super) fn decode(
    bytes: &[u8],
    bounds: &PeerstoreBounds,
    clocks: Clocks,
) -> Result<(u64, Peer), DecodeError> {
    let limits = [(1, MAX_LIST), (2, MAX_LIST)];
    let row: Row = protobuf::decode_bounded(bytes, &Bounds::new(MAX_ROW, &limits))?;
    let mut peer = Peer::default();
    let read = |addr: WireAddr| -> Option<(Multiaddr, Option<Instant>)> {
        let expires = match addr.expires {
            Some(at) => Some(clocks.to_mono(at)?),
            None => None,
        };
        Some((sinew_addr::decode(&addr.addr).ok()?, expires))
    };
    for (addr, expires) in row.addrs.into_iter().filter_map(read) {
        peer.add(&addr, expires);
    }
    peer.tidy(clocks.mono, bounds.addrs_per_peer);
    let mut learned = Learned::default();
    let protocols: Vec<_> = row.protocols.into_iter().map(ProtocolId::from).collect();
    learned.protocols = (!protocols.is_empty()).then(|| protocols.into());
    learned.key = row.key.and_then(|key| PublicKey::from_protobuf(&key).ok());
    learned.agent = row.agent.map(Into::into);
    learned.record = row.record;
    learned.latency = row.latency.map(Duration::from_nanos);
    peer.learn(&learned, bounds);
    Ok((row.written, peer))
}

#[cfg(test)]
mod tests {
    use super::{Clocks, decode, encode};
    use crate::{PeerstoreBounds, peers::Peer};
    use proptest::prelude::*;
    use sinew_core::Learned;
    use sinew_identity::Keypair;
    use sinew_machine::{Instant, WallTime};
    use std::time::Duration;

    fn clocks(secs: u64) -> Clocks {
        // A process that began at another time than the wall clock.
        Clocks {
            mono: Instant::ZERO + Duration::from_secs(7 + secs),
            wall: WallTime((1_000_000 + secs) * 1_000_000_000),
        }
    }

    #[test]
    fn a_row_tells_the_same_after_a_restart() {
        let mut peer = Peer::default();
        let addrs = [
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/192.0.2.2/tcp/2",
            "/ip4/192.0.2.3/tcp/3",
        ];
        let [short, long, ever] = addrs.map(|text| text.parse().expect("an address"));
        peer.add(&short, Some(clocks(5).mono));
        peer.add(&long, Some(clocks(50).mono));
        peer.add(&ever, None);
        let mut learned = Learned::default();
        learned.protocols = Some(vec!["/a/1".into(), "/b/2".into()].into());
        learned.key = Some(Keypair::generate().public().clone());
        learned.agent = Some("agent/1".into());
        learned.record = Some(vec![1, 2, 3].into());
        learned.latency = Some(Duration::from_millis(12));
        peer.learn(&learned, &PeerstoreBounds::default());

        let bytes = encode(&peer, clocks(0)).expect("something to keep");
        // The next process counts from another moment.
        let mut later = clocks(10);
        later.mono = Instant::ZERO + Duration::from_secs(1);
        let (written, read) = decode(&bytes, &PeerstoreBounds::default(), later).expect("our own row");
        assert_eq!(written, clocks(0).wall.0);
        let addrs: Vec<_> = read
            .addrs
            .iter()
            .map(|addr| (addr.addr.clone(), addr.expires))
            .collect();
        let expires = later.mono + Duration::from_secs(40);
        assert_eq!(
            addrs,
            [(ever, None), (long, Some(expires))],
            "what ended is left out"
        );
        assert_eq!(format!("{:?}", read.known), format!("{learned:?}"));
    }

    #[test]
    fn nothing_known_is_no_row() {
        assert_eq!(encode(&Peer::default(), clocks(0)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_row_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let bounds = PeerstoreBounds { addrs_per_peer: 3, protocols_per_peer: 3, ..PeerstoreBounds::default() };
            if let Ok((_, peer)) = decode(&bytes, &bounds, clocks(0)) {
                prop_assert!(peer.addrs.len() <= 3);
                prop_assert!(peer.known.protocols.is_none_or(|list| list.len() <= 3));
            }
        }
    }
}
