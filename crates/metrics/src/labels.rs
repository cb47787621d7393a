//! Labels: few values each, and none that a stranger can make up.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use sinew_core::{AttemptError, CloseReason, ConnectionInfo, Direction, Layer, ProtocolId, UpgradeError};
use std::{borrow::Borrow, fmt, sync::Arc};

/// A connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfConnection {
    direction: &'static str,
    transport: &'static str,
    security: ProtocolName,
    muxer: ProtocolName,
}

/// The end of a connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfEnd {
    pub(crate) transport: &'static str,
    pub(crate) reason: &'static str,
}

/// What a dial or a handshake came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfOutcome {
    pub(crate) transport: &'static str,
    pub(crate) outcome: &'static str,
}

/// Those that succeeded.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfTransport {
    pub(crate) transport: &'static str,
}

/// Streams.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfStreams {
    pub(crate) direction: &'static str,
    pub(crate) protocol: ProtocolName,
}

/// The bytes of streams.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct OfBytes {
    pub(crate) transport: &'static str,
    pub(crate) protocol: ProtocolName,
    pub(crate) moved: &'static str,
}

/// A protocol's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ProtocolName(pub(crate) Arc<str>);

impl Borrow<str> for ProtocolName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl EncodeLabelValue for ProtocolName {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        (&*self.0).encode(encoder)
    }
}

impl OfConnection {
    pub(crate) fn new(connection: &ConnectionInfo) -> Self {
        // A transport may have security and streams of its own.
        let name =
            |protocol: Option<&ProtocolId>| ProtocolName(protocol.map_or("none", ProtocolId::as_str).into());
        Self {
            direction: direction(connection.direction),
            transport: connection.transport,
            security: name(connection.security.as_ref()),
            muxer: name(connection.muxer.as_ref()),
        }
    }
}

pub(crate) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

pub(crate) fn reason(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::Local(_) => "local",
        CloseReason::Remote(_) => "remote",
        CloseReason::Lost(_) => "lost",
        CloseReason::Violation(_) => "violation",
        CloseReason::Abuse(_) => "abuse",
        CloseReason::TimedOut(_) => "timed out",
        _ => "other",
    }
}

pub(crate) fn dialled(outcome: Result<(), &AttemptError>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(AttemptError::Transport(_)) => "transport",
        Err(AttemptError::Upgrade(error)) => upgraded(Err(error)),
        Err(AttemptError::Timeout(_)) => "timeout",
        Err(_) => "other",
    }
}

pub(crate) fn upgraded(outcome: Result<(), &UpgradeError>) -> &'static str {
    match outcome {
        Ok(()) => "ok",
        Err(UpgradeError::Transport(_)) => "transport",
        Err(UpgradeError::Negotiation { layer, .. }) => failed_at(*layer),
        Err(UpgradeError::Security(_)) => "security",
        Err(UpgradeError::Gated(_)) => "gated",
        Err(UpgradeError::Limit(_)) => "limit",
        Err(UpgradeError::Evicted) => "evicted",
        Err(UpgradeError::Timeout { .. }) => "timeout",
        Err(_) => "other",
    }
}

fn failed_at(layer: Layer) -> &'static str {
    match layer {
        Layer::SecurityNegotiation => "security negotiation",
        Layer::MuxerNegotiation => "muxer negotiation",
        _ => "negotiation",
    }
}
