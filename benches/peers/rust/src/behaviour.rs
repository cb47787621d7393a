//! Gives every connection its handler, and keeps the ends that ask for streams.

use std::{
    collections::HashMap,
    convert::Infallible,
    task::{Context, Poll},
};

use futures::channel::mpsc;
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandlerInEvent, ToSwarm},
};

use crate::handler::{Handler, Wanted};

/// What all connections share: nothing but where to ask for their streams, until whoever dialled has taken it.
#[derive(Default)]
pub struct Behaviour {
    /// By connection.
    pub dialled: HashMap<ConnectionId, mpsc::Sender<Wanted>>,
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new().0)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        let (handler, ask) = Handler::new();
        self.dialled.insert(id, ask);
        Ok(handler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
