//! Multiaddrs as a node needs them: read strictly and within bounds, with our own peer ids, and sorted by what
//! an address reaches and which transport it names.
//!
//! Follows the [multiaddr] specification and the libp2p [addressing] document. The type itself is
//! [`Multiaddr`] of the crate `multiaddr`; what this crate adds are functions over it. The foreign peer id type
//! that `multiaddr` carries in `/p2p` is converted here and nowhere else.
//!
//! ```
//! use sinew_addr::{Scope, Transport, parse, scope, split_peer, transport};
//!
//! let addr = parse("/ip4/192.168.1.7/tcp/4001/p2p/12D3KooWGC6TvWhfagifX6L2hjBYRWd8TqSGFBtcBXSwC6mYeLPZ")?;
//! let (addr, peer) = split_peer(&addr);
//! assert_eq!(addr.to_string(), "/ip4/192.168.1.7/tcp/4001");
//! assert!(peer.is_some());
//! assert_eq!(scope(&addr), Some(Scope::Private));
//! assert_eq!(transport(&addr), Some(Transport::Tcp));
//! # Ok::<(), sinew_addr::AddrError>(())
//! ```
//!
//! What it deliberately does not do: resolve names (`sinew-dns`), decide which addresses are dialled (the host), or
//! change what `multiaddr` prints. `docs/decisions/addr.md` lists where libraries differ and what is done here.
//!
//! [multiaddr]: https://github.com/multiformats/multiaddr
//! [addressing]: https://github.com/libp2p/specs/blob/master/addressing/README.md

mod decode;
mod ip;
mod parts;
mod peer;
mod range;

pub use decode::{AddrError, MAX_COMPONENTS, MAX_LEN, check, decode, parse};
pub use ip::{Embedding, Scope, embedded, ip_scope, scope};
pub use multiaddr::{Multiaddr, Protocol};
pub use parts::{NameKind, Transport, dns_name, is_circuit, split_circuit, transport, with_server_name};
pub use peer::{OtherPeer, join_peer, p2p, peer, split_peer};
pub use range::{IpRange, RangeError};
