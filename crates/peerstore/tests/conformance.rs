//! What every peerstore does alike.

use multiaddr::Multiaddr;
use sinew_core::{Lifetime, Peerstore, RECENTLY_CONNECTED};
use sinew_identity::PeerId;
use sinew_machine::Instant;
use sinew_peerstore::MemoryPeerstore;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn addr(port: u16) -> Multiaddr {
    format!("/ip4/192.0.2.1/tcp/{port}").parse().expect("an address")
}

/// `begin` is when the first address is learned; the last ones end at `begin + 20 minutes`.
fn addresses_of_a_connected_peer_do_not_end(store: &dyn Peerstore, begin: Instant) -> PeerId {
    let (peer, at) = (PeerId::random(), |minutes: u32| begin + MINUTE * minutes);
    let add =
        |port, minutes, now| store.add_addrs(&peer, &[addr(port)], Lifetime::For(MINUTE * minutes), now);
    add(1, 1, at(0));
    add(2, 3, at(0));
    store.set_connected(&peer, true, at(2));
    add(3, 1, at(2));
    assert_eq!(
        store.addrs(&peer, at(5)),
        [addr(2), addr(3)],
        "what had ended has ended"
    );
    add(4, 60, at(5));
    store.set_connected(&peer, true, at(5));
    store.set_connected(&peer, false, at(5));
    let recently = at(5) + RECENTLY_CONNECTED;
    let before = Instant(recently.0 - 1);
    assert_eq!(store.addrs(&peer, before), [addr(4), addr(2), addr(3)]);
    assert_eq!(store.addrs(&peer, recently), [addr(4)], "the longer word holds");
    store.set_connected(&peer, false, at(6));
    assert_eq!(store.addrs(&peer, recently), [addr(4)], "it was gone already");
    peer
}

#[test]
fn in_memory() {
    addresses_of_a_connected_peer_do_not_end(&MemoryPeerstore::default(), Instant::ZERO);
}

#[cfg(feature = "disk")]
#[test]
fn on_disk_and_after_a_restart() {
    use sinew_peerstore::DiskPeerstore;

    let folder = tempfile::tempdir().expect("a folder");
    let (path, begin) = (folder.path().join("peers.redb"), sinew_runtime::now());
    let store = DiskPeerstore::open(&path).expect("opens");
    let gone = addresses_of_a_connected_peer_do_not_end(&store, begin);
    let connected = PeerId::random();
    store.add_addrs(&connected, &[addr(1)], Lifetime::For(MINUTE), begin);
    store.set_connected(&connected, true, begin);
    store.flush().expect("writes");
    let later = begin + MINUTE * 10;
    store.set_connected(&gone, true, later);
    store.flush().expect("writes");
    store.set_connected(&gone, false, later);
    drop(store);
    let store = DiskPeerstore::open(&path).expect("opens again");
    assert_eq!(
        store.addrs(&gone, later + MINUTE * 14).len(),
        3,
        "written when it went"
    );
    assert_eq!(
        store.addrs(&connected, later),
        [addr(1)],
        "written as if it went then"
    );
}
