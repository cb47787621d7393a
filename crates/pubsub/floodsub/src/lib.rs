//! The wire of libp2p's publish/subscribe protocols, and the simplest of them: floodsub, where every message goes to every
//! peer of its topic.
//!
//! Specification: [pubsub](https://github.com/libp2p/specs/blob/master/pubsub/README.md) (r3, 2020-09-25), `/floodsub/1.0.0`.
//! The RPC carries the control messages of gossipsub 1.0 to 1.3 as well, so that gossipsub reads and writes with it, and its
//! machine is made of the same parts ([`Links`], [`Followers`], [`Told`], [`Seen`], [`Checks`], [`Pool`]), and its service too.
//!
//! ```
//! # #[cfg(feature = "service")]
//! use sinew_floodsub::{Event, Floodsub, Topic};
//!
//! # #[cfg(feature = "service")]
//! async fn chat(floodsub: &Floodsub) -> Result<(), Box<dyn std::error::Error>> {
//!     let topic = Topic::new("chat")?;
//!     let mut subscription = floodsub.subscribe(&topic)?;
//!     floodsub.wait_for_peers(&topic, 1).await?;
//!     floodsub.publish(&topic, "hello").await?;
//!     while let Some(event) = subscription.next().await? {
//!         if let Event::Message(received) = event {
//!             println!("{:?}", received.message.data());
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Without the default feature `service` the crate is the wire and the machine: no clock, no runtime.
//!
//! It deliberately keeps no score of peers and repeats no message: who wants a large network takes gossipsub. Connecting to
//! peers is for the application or a discovery; a peer is one that was identified as such, or opens a stream.

mod control;
mod encode;
mod filter;
mod generated;
mod machine;
mod message;
mod message_id;
mod policies;
mod rpc;
mod sequence;
mod signature;
mod topic;

#[cfg(feature = "service")]
mod author;
#[cfg(feature = "service")]
mod config;
#[cfg(feature = "service")]
mod error;
#[cfg(feature = "service")]
mod event;
#[cfg(feature = "service")]
mod following;
#[cfg(feature = "service")]
mod handle;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "service")]
mod subscription;
#[cfg(feature = "service")]
mod topics;
#[cfg(feature = "service")]
mod validator;

pub use control::{Control, Extensions, IHave, MAX_CONTROL, MAX_IDS, MAX_PEERS, OtherPeer, Prune};
pub use encode::{Announcement, gossip, join};
pub use filter::SubscriptionFilter;
pub use machine::{
    Candidate, Checks, Command, Counts, Followers, Frame, Job, LinkEvent, Links, MAX_QUEUED, MAX_RUNNING,
    MAX_RUNNING_BYTES, MAX_SEEN, MAX_TOPICS, MAX_WAITING, Machine, News, Pool, Received, Reply, SEEN_FOR,
    Seen, Told, Validation, Waiting,
};
pub use message::{Message, MessageError};
pub use message_id::{MAX_MESSAGE_ID, MessageId, MessageIdFn};
pub use policies::SignaturePolicies;
pub use rpc::{
    MAX_GROUP, MAX_MESSAGES, MAX_METADATA, MAX_RPC, MAX_SUBSCRIPTIONS, PartialMessage, Rpc, RpcError, SubOpts,
};
pub use sequence::Sequence;
pub use signature::{SignatureError, SignaturePolicy};
pub use topic::{MAX_TOPIC, Topic, TopicError};

#[cfg(feature = "service")]
pub use {
    author::Author,
    config::Config,
    error::{PublishError, SubscribeError},
    event::Event,
    following::Following,
    handle::{Floodsub, Published},
    subscription::Subscription,
    topics::Topics,
    validator::Validator,
};

use sinew_machine::ProtocolId;

/// The name of the protocol.
pub const PROTOCOL: ProtocolId = ProtocolId::from_static("/floodsub/1.0.0");
