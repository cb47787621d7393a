//! What the socket transports of Sinew share: sockets with the right options, addresses of the machine's interfaces,
//! and socket addresses as multiaddrs.
//!
//! There is no specification but that of the [address format](https://github.com/multiformats/multiaddr) (read on
//! 2026-11-21). The options follow what libp2p needs: a listening port that may also be dialled from (for hole
//! punching and for stable addresses behind a NAT), IPv6 sockets that leave IPv4 alone, a long backlog for TCP, and a large
//! receive buffer for UDP, where one socket serves all peers.
//!
//! ```
//! let addr = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
//! let socket = sinew_socket::tcp_addr(&addr).unwrap();
//! assert_eq!(socket.to_string(), "192.0.2.1:4001");
//! assert_eq!(sinew_socket::tcp_multiaddr(socket), addr);
//! ```
//!
//! TCP and WebSocket can share a port: [`TcpSockets`] keeps one listening socket for both, and looks at the first byte of a
//! connection once its turn has come, never while accepting.
//!
//! It deliberately knows nothing of what connections say behind that byte: dialling policy and upgrades belong to the
//! transports.

mod addr;
mod interfaces;
mod listener;
mod pause;
mod sockets;
mod start;
mod tcp;
mod udp;

pub use addr::{quic_addr, quic_multiaddr, tcp_addr, tcp_multiaddr};
pub use interfaces::{Change, Interfaces};
pub use sockets::{Accept, Accepted, NotShared, TcpSockets, nearest};
pub use start::{Start, UnknownStart};
pub use tcp::{TcpDial, listen_tcp};
pub use udp::{bind_udp, source_ip};
