//! The libp2p host of Sinew: it dials, listens, upgrades, hands streams to handlers, and keeps what it knows of peers.
//!
//! | task | how many | what it does |
//! |---|---|---|
//! | listener | one a listen address | accepts, gates, gives a pending place |
//! | upgrade | one a pending connection, bounded | security, muxer, gater, table |
//! | dial | runs in the callers that wait for it | resolves, ranks, races |
//! | connection | one a connection | moves bytes, accepts streams, closes when idle |
//! | inbound stream | one a stream, bounded | negotiates, runs the handler |
//! | service | one a service | whatever the service is |
//!
//! Opening a stream touches the table of connections (a sharded read lock) and the connection, and nothing else.
//!
//! ```no_run
//! use sinew_host::HostBuilder;
//! use sinew_identity::Keypair;
//! use std::{sync::Arc, time::Duration};
//! # async fn example(tcp: impl sinew_core::Transport, noise: impl sinew_core::SecureUpgrade, yamux: impl sinew_core::MuxerUpgrade)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let builder = HostBuilder::new(Arc::new(Keypair::generate()));
//! let host = builder.transport(tcp).security(noise).muxer(yamux).start().await?;
//! println!("{} listens on {:?}", host.peer_id(), host.listen("/ip4/127.0.0.1/tcp/0".parse::<sinew_core::Multiaddr>()?).await?);
//! host.shutdown(Duration::from_secs(5)).await;
//! # Ok(()) }
//! ```
//!
//! It deliberately has no presets (the facade crate `sinew` has) and knows no transport, security protocol, muxer or
//! service by name.

mod accept;
pub mod access;
mod address_policy;
mod addresses;
mod backend;
mod builder;
mod config;
mod connection;
mod dial;
mod entry;
mod gates;
mod limits;
mod machine;
mod membership;
mod part;
mod places;
mod registry;
mod shared;
mod shutdown;
mod streams;
mod table;
mod trim;
mod upgrade;

pub use address_policy::AddressPolicy;
pub use builder::{HostBuilder, StartError};
pub use config::{Limits, Rate, Timeouts, Watermarks};
pub use machine::announce::{NoAnnounce, NoAnnounceError};
