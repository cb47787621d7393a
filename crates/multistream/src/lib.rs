//! multistream-select 1.0: how two libp2p peers agree on the protocol of a connection or a stream.
//!
//! Specifications: [connections, Protocol Negotiation][connections] (r1, 2022-12-07) and the
//! [multistream-select repository][multistream], with `ls`.
//!
//! | you have | you call |
//! |---|---|
//! | a connection to upgrade | [`select`], [`accept`]; [`propose`], optimistic, where there is one protocol |
//! | a stream that you opened | [`open`]: optimistic with one protocol ([`LazyStream`]), in order with several |
//! | a stream that the remote opened | [`serve`] |
//! | bytes, and a loop of your own | [`machine`] |
//!
//! ```
//! use sinew_core::ProtocolId;
//! use sinew_multistream::{accept, select};
//! use std::time::Duration;
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let (mut dialer, mut listener) = tokio::io::duplex(1024);
//! let timeout = Duration::from_secs(10);
//! let offer: [ProtocolId; 2] = ["/noise".into(), "/plaintext/2.0.0".into()];
//! let (selected, accepted) = tokio::join!(
//!     select(&mut dialer, vec!["/tls/1.0.0".into(), "/noise".into()], timeout),
//!     accept(&mut listener, &offer[..], timeout),
//! );
//! assert_eq!((selected.unwrap(), accepted.unwrap()), ("/noise".into(), "/noise".into()));
//! # }
//! ```
//!
//! What one negotiation may cost is bounded: [`machine::MAX_MESSAGE`] a message, [`machine::MAX_MESSAGES`] and
//! [`machine::MAX_BYTES`] in all, and the caller's time-out. Bytes that cannot be right end it where they stand.
//!
//! It deliberately does not do simultaneous open (`/libp2p/simultaneous-connect`: roles are known from outside), and does
//! not know which protocols there are: the host keeps the handlers and offers them as an [`Offer`](machine::Offer).
//!
//! [connections]: https://github.com/libp2p/specs/blob/master/connections/README.md
//! [multistream]: https://github.com/multiformats/multistream-select

mod eager;
mod error;
mod lazy;
pub mod machine;
mod optimistic;
mod stream;
mod waker;

pub use eager::{accept, list, select};
pub use lazy::LazyStream;
pub use optimistic::propose;
pub use stream::{Negotiated, open, serve};
