//! What this node says of itself: from the newest facts, the peer record signed anew only when the addresses changed.

use crate::{Config, Message};
use bytes::Bytes;
use sinew_addr::Scope;
use sinew_core::{AnnouncedAddrs, ConnectionInfo, HandledProtocols, Host, Multiaddr, Observer};
use sinew_record::PeerRecord;
use sinew_runtime::wall_now;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes of addresses are told: with them a record still fits into one part. More than 100 addresses.
const MAX_ADDR_BYTES: usize = 4 * 1024;

/// What this node says of itself.
pub(crate) struct Local {
    host: Host,
    protocol_version: Option<String>,
    agent_version: String,
    facts: Mutex<Facts>,
}

struct Facts {
    addrs: Observer<AnnouncedAddrs>,
    protocols: Observer<HandledProtocols>,
    signed: Option<Signed>,
    seq: u64,
}

/// A record with the addresses that it was made of.
struct Signed {
    addrs: AnnouncedAddrs,
    envelope: Option<Bytes>,
}

impl Local {
    pub(crate) fn new(host: Host, config: &Config) -> Self {
        let facts = Facts {
            addrs: host.observe(),
            protocols: host.observe(),
            signed: None,
            seq: 0,
        };
        Self {
            host,
            protocol_version: config.protocol_version.clone(),
            agent_version: config.agent_version().to_owned(),
            facts: Mutex::new(facts),
        }
    }

    /// What is said to the remote of `connection` now.
    pub(crate) fn message(&self, connection: &ConnectionInfo) -> Message {
        let mut facts = self.lock();
        let (addrs, protocols) = (facts.addrs.now(), facts.protocols.now());
        let envelope = self.record(&mut facts, &addrs);
        drop(facts);
        let near = is_loopback(&connection.remote) || is_loopback(&connection.local);
        let told = told(&addrs).filter(|addr| near || !is_loopback(addr));
        Message {
            protocol_version: self.protocol_version.clone(),
            agent_version: Some(self.agent_version.clone()),
            public_key: Some(self.host.public_key().to_protobuf().into()),
            listen_addrs: told.map(|addr| addr.to_vec().into()).collect(),
            observed_addr: Some(connection.remote.to_vec().into()),
            protocols: protocols.0.iter().map(ToString::to_string).collect(),
            signed_peer_record: envelope,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of `addrs`, signed if that was not done before.
    fn record(&self, facts: &mut Facts, addrs: &AnnouncedAddrs) -> Option<Bytes> {
        if let Some(signed) = facts.signed.as_ref().filter(|signed| signed.addrs == *addrs) {
            return signed.envelope.clone();
        }
        // spec: RFC 0003, Address Record Format: of two records the one with the higher number is the newer.
        facts.seq = wall_now().0.max(facts.seq + 1);
        let sealed = PeerRecord::seal(&**self.host.signer(), facts.seq, &signed_addrs(addrs));
        let envelope = match sealed {
            Ok(sealed) => Some(Bytes::from(sealed)),
            Err(error) => {
                tracing::warn!(%error, "no peer record");
                None
            }
        };
        facts.signed = Some(Signed {
            addrs: addrs.clone(),
            envelope: envelope.clone(),
        });
        envelope
    }
}

/// What goes into the one record for all peers: addresses of this machine only if there are no others.
fn signed_addrs(addrs: &AnnouncedAddrs) -> Vec<Multiaddr> {
    let (own, others): (Vec<_>, Vec<_>) = told(addrs).cloned().partition(is_loopback);
    if others.is_empty() { own } else { others }
}

/// As many addresses as are told to anybody.
fn told(addrs: &AnnouncedAddrs) -> impl Iterator<Item = &Multiaddr> {
    let mut left = MAX_ADDR_BYTES;
    addrs.0.iter().take_while(move |addr| {
        let fits = addr.len() <= left;
        left = left.saturating_sub(addr.len());
        fits
    })
}

fn is_loopback(addr: &Multiaddr) -> bool {
    sinew_addr::scope(addr) == Some(Scope::Loopback)
}
