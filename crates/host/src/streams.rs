//! Streams: opening our own, and serving those of others.

use crate::{
    entry::{Entry, Use, Worth},
    limits::StreamPlace,
    machine::waste,
    registry,
    shared::Shared,
};
use futures_util::FutureExt;
use sinew_core::{
    ConnectionInfo, MuxError, MuxedStream, NegotiationError, OpenError, OpenOptions, Stream, StreamEvent,
    StreamLease,
};
use sinew_machine::{Direction, ProtocolId, StreamId, code};
use sinew_runtime::timeout;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What is told where a stream came to nothing before it had a protocol.
const NEGOTIATION: ProtocolId = ProtocolId::from_static(sinew_multistream::machine::HEADER);

/// Opens a stream on one connection.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    protocols: Vec<ProtocolId>,
    mut options: OpenOptions,
) -> Result<Stream, OpenError> {
    let peer = entry.info.peer;
    if protocols.is_empty() {
        return Err(OpenError::NoProtocol);
    }
    let closed = || OpenError::NotConnected(peer);
    let worth = if options.keep_alive {
        Worth::Useful
    } else {
        Worth::Background
    };
    let mut lease = Lease::outbound(shared, entry.acquire(worth).ok_or_else(closed)?)?;
    let io = begin(entry, options.timeout).await?;
    options.finish_early |= entry.finish_early.load(Ordering::Relaxed);
    // A single protocol that is offered optimistically has had no answer yet.
    let answered = options.eager || protocols.len() > 1;
    let negotiated = sinew_multistream::open(io, protocols, &options).await;
    match &negotiated {
        Ok(_) if answered => entry.doubt(false),
        Err(NegotiationError::Timeout(_)) => entry.doubt(true),
        Err(NegotiationError::Unsupported(_)) => entry.doubt(false),
        _ => {}
    }
    let (protocol, io) = negotiated.map_err(|error| OpenError::Negotiation { peer, error })?;
    let joined = lease.place.join(&protocol, usize::MAX);
    joined.map_err(|error| OpenError::Limit { peer, error })?;
    let name = protocol.clone();
    Ok(lease.into_stream(io, protocol, &name))
}

/// Has the muxer open a stream. A remote that answers none of its streams keeps the muxer waiting: no longer than
/// `within`.
async fn begin(entry: &Entry, within: Duration) -> Result<Box<dyn MuxedStream>, OpenError> {
    let peer = entry.info.peer;
    let opened = timeout(within, entry.muxed.open()).await;
    let opened = opened.map_err(|_| {
        entry.doubt(true);
        OpenError::Timeout { peer, after: within }
    })?;
    opened.map_err(|error| {
        if matches!(error, MuxError::Closed(_) | MuxError::Exhausted) {
            entry.spend();
        }
        OpenError::Muxer { peer, error }
    })
}

/// An inbound stream on its way to its handler.
pub(crate) struct Inbound {
    shared: Arc<Shared>,
    lease: Lease,
}

impl Inbound {
    /// A stream whose place among the inbound streams of its connection is taken.
    pub(crate) fn new(shared: Arc<Shared>, used: Use, place: StreamPlace) -> Self {
        let lease = Lease {
            shared: shared.clone(),
            used,
            direction: Direction::Inbound,
            place,
            told: None,
            counted: None,
        };
        Self { shared, lease }
    }

    /// Negotiates, finds the handler and runs it.
    pub(crate) async fn serve(mut self, stream: Box<dyn MuxedStream>) {
        let info = self.lease.info().clone();
        let within = self.shared.parts().timeouts.negotiation;
        let offer = Offer {
            shared: &self.shared,
            limited: info.limited,
            answered: AtomicU64::new(0),
        };
        let negotiated = sinew_multistream::serve(stream, &offer, within);
        let (protocol, mut io) = match negotiated.await {
            Ok(negotiated) => negotiated,
            Err(error) => {
                tracing::debug!(connection = %info.id, peer = %info.peer, %error, "inbound stream");
                let answered = offer.answered.into_inner();
                let cost = waste::cost(answered, &error);
                return self.lease.used.entry.charge(cost, &NEGOTIATION);
            }
        };
        // The handler may have been removed since the protocol was agreed on.
        let Some(entry) = self.shared.registry.find(protocol.as_str()) else {
            return io.reset(code::stream::NEGOTIATION_FAILED);
        };
        self.lease.used.settle(entry.options.keep_alive);
        self.lease.used.entry.doubt(false);
        let max = entry.options.max_streams_per_peer;
        if self.lease.place.join(&entry.name, max).is_err() {
            return io.reset(code::stream::RESOURCE_LIMIT);
        }
        let stream = self.lease.into_stream(io, protocol, &entry.name);
        run(&entry, stream).await;
    }
}

/// Runs a handler; a panic in it drops its stream, which resets it.
async fn run(entry: &registry::Entry, stream: Stream) {
    let peer = stream.peer();
    if AssertUnwindSafe(entry.handler.handle(stream))
        .catch_unwind()
        .await
        .is_err()
    {
        tracing::error!(protocol = %entry.name, %peer, "a stream handler panicked");
    }
}

/// What this host serves, as multistream-select asks for it.
struct Offer<'a> {
    shared: &'a Shared,
    limited: bool,
    /// How many proposals and lists were answered.
    answered: AtomicU64,
}

impl sinew_multistream::machine::Offer for Offer<'_> {
    fn accept(&self, name: &str) -> Option<ProtocolId> {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let found = self.shared.registry.find(name)?;
        let served = !self.limited || found.options.limited;
        served.then(|| {
            if found.name == *name {
                found.name
            } else {
                name.into()
            }
        })
    }

    fn list(&self) -> Vec<ProtocolId> {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.shared.registry.names()
    }
}

/// What a stream holds while it lives.
struct Lease {
    shared: Arc<Shared>,
    used: Use,
    direction: Direction,
    place: StreamPlace,
    /// Set once subscribers were told of the stream.
    told: Option<(StreamId, ProtocolId)>,
    /// Set once the meter was told of it: the name that it is counted under.
    counted: Option<ProtocolId>,
}

impl Lease {
    fn outbound(shared: &Arc<Shared>, used: Use) -> Result<Self, OpenError> {
        let peer = used.entry.info.peer;
        let place = used.entry.place.scope().stream(Direction::Outbound);
        Ok(Self {
            place: place.map_err(|error| OpenError::Limit { peer, error })?,
            shared: shared.clone(),
            used,
            direction: Direction::Outbound,
            told: None,
            counted: None,
        })
    }

    fn info(&self) -> &Arc<ConnectionInfo> {
        &self.used.entry.info
    }

    /// `name` is what the stream is counted under.
    fn into_stream(mut self, io: Box<dyn MuxedStream>, protocol: ProtocolId, name: &ProtocolId) -> Stream {
        let connection = self.info().clone();
        let (stream, direction) = (io.id(), self.direction);
        if !self.used.entry.standing.hidden {
            self.shared.bus.publish(|| StreamEvent::Opened {
                connection: connection.clone(),
                stream,
                direction,
                protocol: protocol.clone(),
            });
            self.told = Some((stream, protocol.clone()));
        }
        let meter = &self.shared.parts().meter;
        let traffic = meter.stream_opened(&connection, direction, name);
        self.counted = Some(name.clone());
        Stream::new(io, protocol, connection, Box::new(self)).metered(traffic)
    }
}

impl StreamLease for Lease {
    /// Our own streams come as often as we want them: what is answered over them is no flood.
    fn violated(&self) {
        if let (Direction::Inbound, Some(protocol)) = (self.direction, &self.counted) {
            self.used.entry.charge(waste::VIOLATION, protocol);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(name) = self.counted.take() {
            self.shared.parts().meter.stream_closed(self.direction, &name);
        }
        if let Some((stream, protocol)) = self.told.take() {
            let (connection, direction) = (self.info().clone(), self.direction);
            self.shared.bus.publish(|| StreamEvent::Closed {
                connection,
                stream,
                direction,
                protocol,
            });
        }
    }
}
