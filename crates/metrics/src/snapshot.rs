//! What is looked up when somebody asks: limits, peers, lost events.

use crate::labels::direction;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use sinew_core::{Host, Resources, Usage};
use std::fmt;

/// What a host is asked for at each look.
#[derive(Debug)]
struct Snapshot {
    resources: Resources,
    known_peers: usize,
    events_dropped: u64,
}

/// The state of `host` in the text form of OpenMetrics, without its end.
pub(crate) fn encode(host: &Host) -> String {
    let snapshot = Snapshot {
        resources: host.resources(),
        known_peers: host.peerstore().peers().len(),
        events_dropped: host.events_dropped(),
    };
    let mut registry = Registry::with_prefix("sinew");
    registry.register_collector(Box::new(snapshot));
    let mut text = String::new();
    text::encode_registry(&mut text, &registry).expect("a text takes everything");
    text
}

impl Snapshot {
    fn usage(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        value: impl Fn(&Usage) -> u64,
    ) -> Result<(), fmt::Error> {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for usage in &self.resources.system {
            let labels = [
                ("resource", usage.resource.name()),
                ("direction", usage.direction.map_or("both", direction)),
            ];
            ConstGauge::new(signed(value(usage))).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn refusals(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Refusals, by whose limit and of what";
        let mut family = encoder.encode_descriptor("limit_refusals", help, None, MetricType::Counter)?;
        for refusals in &self.resources.refusals {
            let labels = [
                ("scope", refusals.scope.name()),
                ("resource", refusals.resource.name()),
            ];
            ConstCounter::new(refusals.count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.usage(
            &mut encoder,
            ("limit_used", "What the whole node uses of its limits"),
            |usage| usage.used,
        )?;
        self.usage(
            &mut encoder,
            ("limit_allowed", "The limits of the whole node"),
            |usage| usage.limit,
        )?;
        self.refusals(&mut encoder)?;
        let gauge = |encoder: &mut DescriptorEncoder<'_>, name, help, value: usize| {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(signed(value as u64)).encode(metric)
        };
        gauge(
            &mut encoder,
            "known_peers",
            "Peers that something is known of",
            self.known_peers,
        )?;
        gauge(
            &mut encoder,
            "connected_peers",
            "Peers with a connection",
            self.resources.peers,
        )?;
        let help = "Events that slow subscribers lost";
        let dropped = encoder.encode_descriptor("events_dropped", help, None, MetricType::Counter)?;
        ConstCounter::new(self.events_dropped).encode(dropped)
    }
}
