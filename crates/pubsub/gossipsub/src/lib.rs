//! Gossipsub, the publish/subscribe protocol of libp2p for large networks: each message goes to a few peers of its topic, and
//! the others are told that there is one.
//!
//! Specifications: [gossipsub](https://github.com/libp2p/specs/tree/master/pubsub/gossipsub) 1.0 (r4), 1.1 (r8: scores,
//! back-off, flood publishing, outbound quotas, opportunistic grafting, exchanged and explicit peers), 1.2 (r1: IDONTWANT) and
//! 1.3 (r0: extensions, of which the test extension is there, and partial messages as an experiment). Peers that speak floodsub
//! alone are sent every message.
//!
//! ```
//! # #[cfg(feature = "service")]
//! use sinew_gossipsub::{Event, Gossipsub, Topic};
//!
//! # #[cfg(feature = "service")]
//! async fn chat(gossipsub: &Gossipsub) -> Result<(), Box<dyn std::error::Error>> {
//!     let topic = Topic::new("chat")?;
//!     let mut subscription = gossipsub.subscribe(&topic)?;
//!     gossipsub.wait_for_peers(&topic, 1).await?;
//!     gossipsub.publish(&topic, "hello").await?;
//!     while let Some(event) = subscription.next().await? {
//!         if let Event::Message(received) = event {
//!             println!("{:?}", received.message.data());
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Against hostile and slow peers there are scores ([`Params::score`]), the peer gater of go-libp2p ([`Params::gater`]) and numbers
//! of authors that only go up ([`Params::max_authors`]), each off unless set. What happens can be seen: in counts and scores by
//! their parts, in the metrics of the node, and step by step in a trace ([`Notice::Trace`], `Config::trace`).
//!
//! # Who is believed
//!
//! Messages are signed, and verified before anybody hears of them, unless `Config::policy` says otherwise. A validator
//! (`Gossipsub::set_validator`) looks at each of a topic before it is delivered and goes on. What a peer does counts against it
//! only where scores are set, over all topics and for each that counts:
//!
//! ```
//! # #[cfg(feature = "service")]
//! # fn with_scores(topic: &sinew_gossipsub::Topic) -> Result<sinew_gossipsub::Config, sinew_gossipsub::ParamsError> {
//! use sinew_gossipsub::{Config, Params, ScoreParams, TopicParams, TopicScore};
//!
//! let mut about = TopicParams::default();
//! about.score = Some(TopicScore::default());
//! let mut params = Params::default();
//! params.score = Some(ScoreParams::default());
//! params.topics.insert(topic.clone(), about);
//! Config::default().params(params)
//! # }
//! ```
//!
//! `Gossipsub::scores` tells them, `Gossipsub::judge` adds what the application knows (P5), and `Gossipsub::block` needs none.
//!
//! # Partial messages
//!
//! Experimental: as go-libp2p and rust-libp2p have them, no specification does; off unless [`Params::partial`] is set. In the
//! topics that it names peers tell each other which parts of a large message they have, and send what is lacking. What parts are
//! is the application's ([`Partial`]), and so is what becomes of those that come (`PartialHandler`).
//!
//! Without the default feature `service` the crate is the machine: no clock, no entropy, no runtime.
//!
//! It deliberately does not look for peers beyond those that others tell it of, and keeps no message for longer than a few
//! heartbeats.

mod gater_params;
mod machine;
mod params;
mod partial;
mod score_params;

#[cfg(feature = "service")]
mod config;
#[cfg(feature = "service")]
mod handle;
#[cfg(feature = "service")]
mod measures;
#[cfg(feature = "service")]
mod partial_handler;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "service")]
mod topic_handle;
#[cfg(feature = "service")]
mod trace;
#[cfg(feature = "service")]
mod trace_writer;

pub use gater_params::GaterParams;
pub use machine::{
    Command, Counts, Job, MAX_QUEUED, Machine, Notice, Output, RejectReason, Reply, RpcTrace, ScoreReport,
    TopicReport, Trace,
};
pub use params::{Mesh, Params, ParamsError, TopicParams};
pub use partial::{InvalidPartial, Partial, PartialMode, PartialParams, ReceivedPartial};
pub use score_params::{ScoreParams, Thresholds, TopicScore};
pub use sinew_floodsub::{
    MAX_GROUP, MAX_METADATA, Message, MessageId, MessageIdFn, News, PartialMessage, Received, SignatureError,
    SignaturePolicies, SignaturePolicy, SubscriptionFilter, Topic, TopicError, Validation,
};

#[cfg(feature = "service")]
pub use {
    config::Config,
    handle::Gossipsub,
    measures::METRICS,
    partial_handler::{Handled, PartialHandler, PublishPartialError},
    sinew_floodsub::{Event, PublishError, Published, SubscribeError, Subscription, Validator},
    topic_handle::TopicHandle,
    trace::{TraceEvent, TraceSink},
    trace_writer::{MAX_TRACE, TraceWriter},
};

use sinew_machine::ProtocolId;

/// The names of the protocol, newest first; floodsub's is the last.
// spec: gossipsub 1.1, 1.2 and 1.3: each version is announced beside those before it
pub const PROTOCOLS: [ProtocolId; 5] = [
    ProtocolId::from_static("/meshsub/1.3.0"),
    ProtocolId::from_static("/meshsub/1.2.0"),
    ProtocolId::from_static("/meshsub/1.1.0"),
    ProtocolId::from_static("/meshsub/1.0.0"),
    ProtocolId::from_static("/floodsub/1.0.0"),
];
