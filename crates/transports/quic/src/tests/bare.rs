//! Bare endpoints of quinn, which do what ours never would.

use std::{net::SocketAddr, sync::Arc};

use quinn::crypto::rustls::QuicClientConfig;
use sinew_core::Multiaddr;
use sinew_identity::Keypair;
use sinew_tls::Verifier;

use super::net::Network;
use crate::{Certificate, Config, endpoint::Net, runtime::Tasks};

/// Any port where diallers are.
pub(super) const HERE: ([u8; 4], u16) = ([192, 0, 2, 1], 0);

pub(super) fn own_certificate() -> Certificate {
    Certificate::new(&Keypair::generate()).expect("a key that signs")
}

/// An endpoint, with tasks that live as long.
pub(super) struct Bare {
    pub(super) endpoint: quinn::Endpoint,
    _tasks: Arc<Tasks>,
}

impl Bare {
    pub(super) fn new(network: &Network, at: impl Into<SocketAddr>) -> Self {
        Self::open(network, at.into(), None)
    }

    pub(super) fn serving(network: &Network, config: quinn::ServerConfig) -> Self {
        Self::open(network, HERE.into(), Some(config))
    }

    fn open(network: &Network, at: SocketAddr, server: Option<quinn::ServerConfig>) -> Self {
        let tasks = Tasks::new();
        let socket = network.bind(at, &tasks).expect("bound");
        let config = quinn::EndpointConfig::default();
        let endpoint = quinn::Endpoint::new_with_abstract_socket(config, server, socket, tasks.clone());
        Self {
            endpoint: endpoint.expect("made"),
            _tasks: tasks,
        }
    }

    /// Dials as a node of libp2p would.
    pub(super) fn dial(&self, there: &Multiaddr) -> quinn::Connecting {
        let alpn = vec![b"libp2p".to_vec()];
        self.dial_with(
            there,
            sinew_tls::client_config(&own_certificate(), Verifier::new(None), alpn),
        )
    }

    pub(super) fn dial_with(&self, there: &Multiaddr, crypto: rustls::ClientConfig) -> quinn::Connecting {
        let config = QuicClientConfig::try_from(crypto).expect("with the suite of first packets");
        let there = sinew_socket::quic_addr(there).expect("an address of QUIC");
        let mut config = quinn::ClientConfig::new(Arc::new(config));
        config.transport_config(Config::high_throughput().transport());
        self.endpoint
            .connect_with(config, there, "libp2p")
            .expect("begun")
    }
}
