//! A Sinew host with gossipsub, and identify, by which it learns that its peers have it too.

use crate::sinew_node::{build, listen_addr};
use bytes::Bytes;
use sinew::{
    DialOptions, Host, Multiaddr,
    gossipsub::{self, Event, Gossipsub, SignaturePolicy, Subscription, Topic},
    identify,
};
use sinew_bench_cases::{BenchError, Inbox, PubsubNode, TOPIC};
use std::net::Ipv4Addr;
use tokio::task::JoinSet;

/// A host, with what it is told.
pub(crate) struct SinewPubsub {
    host: Host,
    gossipsub: Gossipsub,
    topic: Topic,
    _reader: JoinSet<()>,
}

impl PubsubNode for SinewPubsub {
    const LIBRARY: (&'static str, &'static str) = ("sinew", env!("CARGO_PKG_VERSION"));

    async fn start(stack: &str, signed: bool, inbox: Inbox) -> Result<Self, BenchError> {
        let mut builder = build(stack)?;
        builder.add(identify::Config::default());
        let policy = if signed {
            SignaturePolicy::StrictSign
        } else {
            SignaturePolicy::StrictNoSign
        };
        let gossipsub = builder.add(gossipsub::Config::default().policy(policy));
        let topic: Topic = TOPIC.parse().expect("a topic of ours");
        let subscription = gossipsub
            .subscribe(&topic)
            .map_err(BenchError::library("a topic"))?;
        let addr: Multiaddr = listen_addr(stack, Ipv4Addr::LOCALHOST)
            .parse()
            .expect("an address of ours");
        let host = builder.listen(addr).start().await;
        let mut reader = JoinSet::new();
        reader.spawn(read(subscription, inbox));
        Ok(Self {
            host: host.map_err(BenchError::library("a node"))?,
            gossipsub,
            topic,
            _reader: reader,
        })
    }

    fn addr(&self) -> String {
        let addr = self.host.listen_addrs().remove(0);
        format!("{addr}/p2p/{}", self.host.peer_id())
    }

    async fn dial(&self, addr: &str) -> Result<(), BenchError> {
        let addr: Multiaddr = addr.parse().map_err(BenchError::library("the address"))?;
        let dialled = self.host.dial(addr, DialOptions::default()).await;
        dialled.map(drop).map_err(BenchError::library("dialling"))
    }

    async fn publish(&self, data: Bytes) -> Result<(), BenchError> {
        let published = self.gossipsub.publish(&self.topic, data).await;
        published.map(drop).map_err(BenchError::library("publishing"))
    }
}

/// Messages that a slow reader lost are missed by who counts them.
async fn read(mut subscription: Subscription, inbox: Inbox) {
    loop {
        match subscription.next().await {
            Ok(Some(Event::Message(received))) => inbox.take(received.message.data()),
            Ok(Some(_)) | Err(_) => {}
            Ok(None) => return,
        }
    }
}
