//! The counters, and how a host counts with them.

use crate::labels::{self, OfBytes, OfConnection, OfEnd, OfOutcome, OfStreams, OfTransport, ProtocolName};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::Registry,
};
use sinew_core::{
    AttemptError, CloseReason, ConnectionInfo, Direction, Meter, ProtocolId, Traffic, UpgradeError,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Protocols that are counted by name; what comes beyond is counted as `other`. A node has a few dozen handlers, but a
/// program may offer names without end.
const MAX_PROTOCOLS: usize = 256;

/// Upper bounds of the buckets of times, in seconds: from a handshake on loopback to its deadline.
const BUCKETS: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0,
];

/// Counts what a host does. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    counters: Arc<Counters>,
}

struct Counters {
    registry: Registry,
    connections: Family<OfConnection, Gauge>,
    opened: Family<OfConnection, Counter>,
    closed: Family<OfEnd, Counter>,
    dials: Family<OfOutcome, Counter>,
    dial_seconds: Times,
    handshakes: Family<OfOutcome, Counter>,
    handshake_seconds: Times,
    streams: Family<OfStreams, Gauge>,
    streams_opened: Family<OfStreams, Counter>,
    bytes: Bytes,
    names: Names,
}

type Times = Family<OfTransport, Histogram, fn() -> Histogram>;

/// The bytes of all streams by transport and protocol.
#[derive(Clone, Default, Debug)]
struct Bytes(Arc<Mutex<ByProtocol>>);

type ByProtocol = BTreeMap<(&'static str, ProtocolName), Arc<Traffic>>;

impl Default for Metrics {
    fn default() -> Self {
        let times = || Times::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut counters = Counters {
            registry: Registry::with_prefix("sinew"),
            connections: Family::default(),
            opened: Family::default(),
            closed: Family::default(),
            dials: Family::default(),
            dial_seconds: times(),
            handshakes: Family::default(),
            handshake_seconds: times(),
            streams: Family::default(),
            streams_opened: Family::default(),
            bytes: Bytes::default(),
            names: Names::default(),
        };
        counters.register();
        Self {
            counters: counters.into(),
        }
    }
}

impl Counters {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Established connections", self.connections.clone());
        registry.register(
            "connections_opened",
            "Connections that were established",
            self.opened.clone(),
        );
        registry.register(
            "connections_closed",
            "Connections that ended, by who or what ended them",
            self.closed.clone(),
        );
        registry.register(
            "dials",
            "Addresses that were dialled, by outcome",
            self.dials.clone(),
        );
        registry.register(
            "dial_seconds",
            "Time from dialling an address to an established connection",
            self.dial_seconds.clone(),
        );
        registry.register(
            "handshakes",
            "Connections that came in, by outcome",
            self.handshakes.clone(),
        );
        registry.register(
            "handshake_seconds",
            "Time from accepting a connection to having it established",
            self.handshake_seconds.clone(),
        );
        registry.register("streams", "Open streams", self.streams.clone());
        registry.register(
            "streams_opened",
            "Streams that got their protocol",
            self.streams_opened.clone(),
        );
        registry.register_collector(Box::new(self.bytes.clone()));
    }
}

impl Metrics {
    /// Everything counted so far, in the text form of OpenMetrics.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = self.encode_open();
        text.push_str("# EOF\n");
        text
    }

    /// As [`Metrics::encode`], without the end: more may follow.
    pub(crate) fn encode_open(&self) -> String {
        let mut text = String::new();
        text::encode_registry(&mut text, &self.counters.registry).expect("a text takes everything");
        text
    }

    fn streams(&self, direction: Direction, protocol: &ProtocolId) -> OfStreams {
        OfStreams {
            direction: labels::direction(direction),
            protocol: self.counters.names.label(protocol),
        }
    }
}

impl Meter for Metrics {
    fn attempted(&self, transport: &'static str, took: Duration, outcome: Result<(), &AttemptError>) {
        let counters = &self.counters;
        let outcome = labels::dialled(outcome);
        count(
            &counters.dials,
            &counters.dial_seconds,
            OfOutcome { transport, outcome },
            took,
        );
    }

    fn accepted(&self, transport: &'static str, took: Duration, outcome: Result<(), &UpgradeError>) {
        let counters = &self.counters;
        let outcome = labels::upgraded(outcome);
        count(
            &counters.handshakes,
            &counters.handshake_seconds,
            OfOutcome { transport, outcome },
            took,
        );
    }

    fn connection_opened(&self, connection: &ConnectionInfo) {
        let labels = OfConnection::new(connection);
        self.counters.opened.get_or_create(&labels).inc();
        self.counters.connections.get_or_create(&labels).inc();
    }

    fn connection_closed(&self, connection: &ConnectionInfo, reason: &CloseReason) {
        self.counters
            .connections
            .get_or_create(&OfConnection::new(connection))
            .dec();
        let labels = OfEnd {
            transport: connection.transport,
            reason: labels::reason(reason),
        };
        self.counters.closed.get_or_create(&labels).inc();
    }

    fn stream_opened(
        &self,
        connection: &ConnectionInfo,
        direction: Direction,
        protocol: &ProtocolId,
    ) -> Option<Arc<Traffic>> {
        let labels = self.streams(direction, protocol);
        self.counters.streams_opened.get_or_create(&labels).inc();
        self.counters.streams.get_or_create(&labels).inc();
        Some(self.counters.bytes.of(connection.transport, labels.protocol))
    }

    fn stream_closed(&self, direction: Direction, protocol: &ProtocolId) {
        self.counters
            .streams
            .get_or_create(&self.streams(direction, protocol))
            .dec();
    }
}

/// Counts an outcome, and how long it took if it is a good one.
fn count(outcomes: &Family<OfOutcome, Counter>, times: &Times, labels: OfOutcome, took: Duration) {
    if labels.outcome == "ok" {
        let transport = OfTransport {
            transport: labels.transport,
        };
        times.get_or_create(&transport).observe(took.as_secs_f64());
    }
    outcomes.get_or_create(&labels).inc();
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The protocols that are counted by name.
#[derive(Default, Debug)]
struct Names(Mutex<BTreeSet<ProtocolName>>);

impl Names {
    fn label(&self, protocol: &ProtocolId) -> ProtocolName {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known.get(protocol.as_str()) {
            return name.clone();
        }
        if known.len() >= MAX_PROTOCOLS {
            return ProtocolName("other".into());
        }
        let name = ProtocolName(protocol.as_str().into());
        known.insert(name.clone());
        name
    }
}

impl Bytes {
    fn lock(&self) -> MutexGuard<'_, ByProtocol> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, transport: &'static str, protocol: ProtocolName) -> Arc<Traffic> {
        self.lock().entry((transport, protocol)).or_default().clone()
    }
}

impl Collector for Bytes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Bytes of streams, without what muxers and security add";
        let mut family = encoder.encode_descriptor("stream_bytes", help, None, MetricType::Counter)?;
        for ((transport, protocol), traffic) in &*self.lock() {
            for (moved, bytes) in [("read", traffic.read()), ("written", traffic.written())] {
                let (transport, protocol) = (*transport, protocol.clone());
                let labels = OfBytes {
                    transport,
                    protocol,
                    moved,
                };
                ConstCounter::new(bytes).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_PROTOCOLS, Metrics};
    use sinew_core::{Direction, Meter, ProtocolId};

    #[test]
    fn names_without_end_do_not_make_labels_without_end() {
        let metrics = Metrics::default();
        for number in 0..10_000 {
            metrics.stream_closed(
                Direction::Outbound,
                &ProtocolId::from(format!("/made-up/{number}")),
            );
        }
        let text = metrics.encode();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("sinew_streams{"))
            .count();
        assert_eq!(lines, MAX_PROTOCOLS + 1);
        assert!(text.contains("protocol=\"other\"") && text.ends_with("# EOF\n"));
    }
}
