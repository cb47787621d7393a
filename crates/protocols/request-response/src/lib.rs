//! Typed requests and responses over libp2p streams: one stream an exchange.
//!
//! There is no specification; the form on the wire is what libp2p's own protocols have, a message behind its length as
//! an unsigned varint. [`Framing::ToEnd`] is the form of rust-libp2p's `request_response::cbor` and `::json`, a bare message
//! up to the end of the direction.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use sinew_core::{Host, PeerId, ServiceConfig};
//! use sinew_request_response::{Cbor, Client, Config, Context, RequestError};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Add(u32, u32);
//! #[derive(Serialize, Deserialize)]
//! struct Sum(u64);
//!
//! // The serving side; hand it to a node builder's `add`, which gives the client.
//! fn config() -> Config<Cbor<Add, Sum>> {
//!     Config::new("/add/1.1.0")
//!         .fallback("/add/1.0.0")
//!         .serve(|Add(a, b): Add, _: Context| async move { Ok(Sum(u64::from(a) + u64::from(b))) })
//! }
//!
//! // The asking side.
//! async fn ask(client: Client<Cbor<Add, Sum>>, peer: PeerId) -> Result<u64, RequestError> {
//!     let Sum(sum) = client.request(peer, &Add(1, 2)).await?;
//!     Ok(sum)
//! }
//! # let _ = config();
//! ```
//!
//! Dropping a request resets its stream, and the other side drops its work: a handler is dropped as soon as the asker
//! left. What a request or an answer may cost is bounded by [`Config`]: size, time, and how many of a peer at once.
//!
//! It deliberately has no machine and so no form without its async half: every decision is caused and answered on one
//! stream. It keeps no streams open for later requests, and it does not retry: whether a request may be made twice only
//! the application knows.

mod client;
mod codec;
mod config;
mod error;
mod exchange;
mod server;

pub use client::Client;
#[cfg(feature = "cbor")]
pub use codec::cbor::Cbor;
#[cfg(feature = "json")]
pub use codec::json::Json;
#[cfg(feature = "prost")]
pub use codec::protobuf::Protobuf;
pub use codec::{Codec, CodecError};
pub use config::{Config, Framing};
pub use error::RequestError;
pub use exchange::{MessageError, decode};
pub use server::{Context, Refuse};
