//! How identify is added to a node.

use crate::{Handle, message::MAX_TEXT, service::Identifying, shared::Shared};
use sinew_core::{HandlerOptions, Host, Registrar, Service, ServiceConfig};
use std::{sync::Arc, time::Duration};

/// Inbound streams of one peer at once, of each of the two protocols: as go-libp2p allows.
const STREAMS_PER_PEER: usize = 16;

/// How this implementation calls itself. Others of it know by the beginning what they may do.
const AGENT: &str = concat!("sinew/", env!("CARGO_PKG_VERSION"));

/// How identify is done.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The family of protocols that the node belongs to, `/my-network/0.1.0` for instance. Nothing is said unless it is set.
    pub protocol_version: Option<String>,
    /// How long one exchange may take, on either side. 10 s unless told: twice go-libp2p's, since a relayed or slow peer that
    /// is not identified is of little use.
    pub timeout: Duration,
    agent_version: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protocol_version: None,
            timeout: Duration::from_secs(10),
            agent_version: AGENT.to_owned(),
        }
    }
}

impl Config {
    /// Sets [`Config::protocol_version`].
    #[must_use]
    pub fn protocol_version(mut self, version: impl Into<String>) -> Self {
        self.protocol_version = Some(version.into());
        self
    }

    /// Sets [`Config::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Names the application, as `name/version`. It stands behind the name of this implementation, without which peers of
    /// the same implementation would not be known as such. At most 256 bytes are sent of both.
    #[must_use]
    pub fn application(mut self, name: &str) -> Self {
        let agent = format!("{AGENT} {name}");
        self.agent_version = crate::message::shorten(&agent, MAX_TEXT).to_owned();
        self
    }

    /// What the node calls itself.
    #[must_use]
    pub fn agent_version(&self) -> &str {
        &self.agent_version
    }
}

impl ServiceConfig for Config {
    type Handle = Handle;

    fn build(self, host: Host, register: &mut Registrar) -> (Handle, Box<dyn Service>) {
        let (shared, stop) = Shared::new(host, &self);
        let shared = Arc::new(shared);
        let options = HandlerOptions::default().limited().background();
        let answering = shared.clone();
        register.handler(
            crate::PROTOCOL,
            options.max_streams_per_peer(STREAMS_PER_PEER),
            move |stream| answering.clone().answer(stream),
        );
        let taking = shared.clone();
        // One more than may wait, so that the one too many is seen: then the peer is asked instead.
        register.handler(
            crate::PUSH_PROTOCOL,
            options.max_streams_per_peer(STREAMS_PER_PEER + 1),
            move |stream| taking.clone().take_push(stream),
        );
        let service = Identifying::new(shared.clone(), stop);
        (Handle::new(shared), Box::new(service))
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn every_agent_begins_with_the_implementation() {
        let agent = |config: Config| config.agent_version().to_owned();
        assert_eq!(
            agent(Config::default()),
            concat!("sinew/", env!("CARGO_PKG_VERSION"))
        );
        assert!(agent(Config::default().application("probe/1")).ends_with(" probe/1"));
        assert_eq!(agent(Config::default().application(&"é".repeat(300))).len(), 256);
    }
}
