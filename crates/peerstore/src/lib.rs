//! What a node knows of peers: addresses with their lifetimes, keys, protocols, signed records.
//!
//! [`MemoryPeerstore`] keeps it for as long as the process lives, within [`PeerstoreBounds`]. It is the default of a
//! host. `DiskPeerstore` (feature `disk`) keeps it in a file too, which survives a restart and a crash.
//!
//! ```
//! use sinew_core::{Lifetime, Peerstore};
//! use sinew_identity::PeerId;
//! use sinew_machine::Instant;
//! use sinew_peerstore::MemoryPeerstore;
//! use std::time::Duration;
//!
//! let (store, peer, now) = (MemoryPeerstore::default(), PeerId::random(), Instant::ZERO);
//! let addr: multiaddr::Multiaddr = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
//! store.add_addrs(&peer, &[addr.clone()], Lifetime::For(Duration::from_secs(60)), now);
//! assert_eq!(store.addrs(&peer, now), [addr]);
//! assert!(store.addrs(&peer, now + Duration::from_secs(60)).is_empty());
//! ```
//!
//! It deliberately decides nothing: whom to dial, and at which of the addresses, is the host's.

mod bounds;
#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "disk")]
mod generated;
mod memory;
mod peers;

pub use bounds::PeerstoreBounds;
#[cfg(feature = "disk")]
pub use disk::{DiskError, DiskPeerstore};
pub use memory::MemoryPeerstore;
