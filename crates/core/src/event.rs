//! The events and facts of a host.

use crate::{CloseReason, ConnectionInfo, Event, Fact, TransportError, UpgradeError};
use multiaddr::Multiaddr;
use sinew_machine::{Direction, ProtocolId, StreamId};
use std::sync::Arc;

/// A connection came, went, or did not come about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// A connection is established.
    Opened(Arc<ConnectionInfo>),
    /// A connection ended.
    Closed(Arc<ConnectionInfo>, CloseReason),
    /// Somebody connected and the upgrade failed.
    InboundFailed {
        /// Our address.
        local: Multiaddr,
        /// The remote's address.
        remote: Multiaddr,
        /// Why.
        error: Arc<UpgradeError>,
    },
}

/// A stream has its protocol, or ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A protocol was agreed on.
    Opened {
        /// The connection.
        connection: Arc<ConnectionInfo>,
        /// The muxer's number.
        stream: StreamId,
        /// Who opened it.
        direction: Direction,
        /// The protocol.
        protocol: ProtocolId,
    },
    /// Whoever used the stream let go of it.
    Closed {
        /// The connection.
        connection: Arc<ConnectionInfo>,
        /// The muxer's number.
        stream: StreamId,
        /// Who opened it.
        direction: Direction,
        /// The protocol.
        protocol: ProtocolId,
    },
}

/// What happens to listeners.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ListenEvent {
    /// The node can be reached at one more address.
    AddressAdded(Multiaddr),
    /// The node can no longer be reached at an address.
    AddressRemoved(Multiaddr),
    /// A listener failed once and goes on.
    Failed(Multiaddr, Arc<TransportError>),
    /// A listener ended.
    Closed(Multiaddr, Arc<TransportError>),
}

/// The addresses that the node listens on, real ones for each interface.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ListenAddrs(pub Arc<[Multiaddr]>);

/// The protocols that have a handler, by name in order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HandledProtocols(pub Arc<[ProtocolId]>);

/// Addresses under which others say they see this node, at a port that it listens on: candidates, most observers first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ObservedAddrs(pub Arc<[Multiaddr]>);

/// Addresses, other than those listened on, under which this node can be reached: enough observers that do not belong
/// together agree, or a service has had them dialled ([`crate::Host::judge_addr`]).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ConfirmedAddrs(pub Arc<[Multiaddr]>);

/// The addresses that this node tells others: those listened on and those confirmed, as the operator has it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AnnouncedAddrs(pub Arc<[Multiaddr]>);

impl Event for ConnectionEvent {}
impl Event for StreamEvent {}
impl Event for ListenEvent {}
impl Fact for ListenAddrs {}
impl Fact for HandledProtocols {}
impl Fact for ObservedAddrs {}
impl Fact for ConfirmedAddrs {}
impl Fact for AnnouncedAddrs {}
