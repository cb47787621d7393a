//! What a connection runs on: the transport, and what secures and multiplexes it where the transport does neither.

use std::fmt;

use super::peers::Peer;

/// Transports that secure and multiplex by themselves.
const COMPLETE: [&str; 1] = ["quic-v1"];

/// One of each layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) transport: String,
    /// Whether the network is private: a pre-shared key below the security.
    pub(crate) private: bool,
    /// None where the transport has its own.
    pub(crate) upgrade: Option<Upgrade>,
}

/// What secures and multiplexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    pub(crate) security: String,
    pub(crate) muxer: String,
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.transport)?;
        if self.private {
            f.write_str(", pnet")?;
        }
        match &self.upgrade {
            Some(Upgrade { security, muxer }) => write!(f, ", {security}, {muxer}"),
            None => Ok(()),
        }
    }
}

impl Stack {
    /// What `--stack` names.
    pub(crate) fn argument(&self) -> String {
        match &self.upgrade {
            Some(Upgrade { security, muxer }) => format!("{}/{security}/{muxer}", self.transport),
            None => self.transport.clone(),
        }
    }

    /// Where to listen on a free port; `secure_websocket` is how the listener spells `wss`.
    pub(crate) fn listen_addr(&self, secure_websocket: &str) -> String {
        match self.transport.as_str() {
            "quic-v1" => "/ip4/127.0.0.1/udp/0/quic-v1".to_owned(),
            "ws" => "/ip4/127.0.0.1/tcp/0/ws".to_owned(),
            "wss" => format!("/ip4/127.0.0.1/tcp/0{secure_websocket}"),
            _ => "/ip4/127.0.0.1/tcp/0".to_owned(),
        }
    }

    /// How every address of a remote begins.
    pub(crate) fn observed_prefix(&self) -> &'static str {
        match self.transport.as_str() {
            "quic-v1" => "/ip4/127.0.0.1/udp/",
            _ => "/ip4/127.0.0.1/tcp/",
        }
    }

    /// Whether these two settle the muxer in the handshake of the security.
    pub(crate) fn has_early_muxer(&self, sides: [&Peer; 2]) -> bool {
        self.upgrade.as_ref().is_some_and(|upgrade| {
            let settles = |peer: &Peer| peer.early_muxers.contains(&upgrade.security);
            sides.into_iter().all(settles)
        })
    }

    /// Whether the security is Noise.
    pub(crate) fn is_over_noise(&self) -> bool {
        self.security_id() == Some("/noise")
    }

    /// The protocol id of the security.
    pub(crate) fn security_id(&self) -> Option<&'static str> {
        self.upgrade
            .as_ref()
            .map(|upgrade| match upgrade.security.as_str() {
                "tls" => "/tls/1.0.0",
                _ => "/noise",
            })
    }

    /// The protocol id of the muxer.
    pub(crate) fn muxer_id(&self) -> Option<&'static str> {
        self.upgrade.as_ref().map(|upgrade| match upgrade.muxer.as_str() {
            "mplex" => "/mplex/6.7.0",
            _ => "/yamux/1.0.0",
        })
    }
}

/// The stacks over which this dialler can reach this listener.
pub(crate) fn common(dialer: &Peer, listener: &Peer) -> Vec<Stack> {
    let transports = shared(&dialer.transports, &listener.transports);
    let mut stacks: Vec<Stack> = transports
        .into_iter()
        .filter(|transport| !listener.dial_only.contains(transport))
        .flat_map(|transport| over(&transport, dialer, listener))
        .collect();
    if dialer.private && listener.private {
        stacks.push(Stack {
            transport: "tcp".to_owned(),
            private: true,
            upgrade: Some(Upgrade {
                security: "noise".to_owned(),
                muxer: "yamux".to_owned(),
            }),
        });
    }
    stacks
}

fn over(transport: &str, dialer: &Peer, listener: &Peer) -> Vec<Stack> {
    let stack = |upgrade| Stack {
        transport: transport.to_owned(),
        private: false,
        upgrade,
    };
    if COMPLETE.contains(&transport) {
        return vec![stack(None)];
    }
    let muxers = shared(&dialer.muxers, &listener.muxers);
    shared(&dialer.security, &listener.security)
        .into_iter()
        .flat_map(|security| {
            muxers.iter().map(move |muxer| Upgrade {
                security: security.clone(),
                muxer: muxer.clone(),
            })
        })
        .map(|upgrade| stack(Some(upgrade)))
        .collect()
}

fn shared(some: &[String], others: &[String]) -> Vec<String> {
    some.iter().filter(|one| others.contains(one)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls_over(transport: &str) -> Stack {
        Stack {
            transport: transport.to_owned(),
            private: false,
            upgrade: Some(Upgrade {
                security: "tls".to_owned(),
                muxer: "yamux".to_owned(),
            }),
        }
    }

    #[test]
    fn a_stack_is_spelled_as_in_the_official_suites() {
        let mut stack = tls_over("wss");
        assert_eq!(stack.to_string(), "wss, tls, yamux");
        assert_eq!(stack.argument(), "wss/tls/yamux");
        stack.private = true;
        assert_eq!(stack.to_string(), "wss, pnet, tls, yamux");
        stack.upgrade = None;
        stack.private = false;
        assert_eq!(
            (stack.to_string(), stack.argument()),
            ("wss".to_owned(), "wss".to_owned())
        );
    }

    #[test]
    fn an_address_names_the_transport() {
        assert_eq!(tls_over("tcp").listen_addr("/wss"), "/ip4/127.0.0.1/tcp/0");
        assert_eq!(tls_over("wss").listen_addr("/wss"), "/ip4/127.0.0.1/tcp/0/wss");
        assert_eq!(
            tls_over("quic-v1").listen_addr("/wss"),
            "/ip4/127.0.0.1/udp/0/quic-v1"
        );
    }
}
