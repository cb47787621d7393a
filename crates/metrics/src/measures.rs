//! What services count, in the text form.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use sinew_core::{Host, Measure, Measures};
use sinew_runtime::timeout;
use std::{fmt, time::Duration};

/// How long a service may take to answer. One that takes longer is busy, and left out.
const ANSWER: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Answers(Vec<Measure>);

/// What the services of `host` have counted in the text form of OpenMetrics, without its end.
pub(crate) async fn encode(host: &Host) -> String {
    let Measures(services) = host.observe::<Measures>().now();
    let mut answers = Vec::new();
    for service in services.iter() {
        answers.extend(timeout(ANSWER, service.measure()).await.unwrap_or_default());
    }
    let mut registry = Registry::with_prefix("sinew");
    registry.register_collector(Box::new(Answers(answers)));
    let mut text = String::new();
    text::encode_registry(&mut text, &registry).expect("a text takes everything");
    text
}

impl Collector for Answers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for measure in &self.0 {
            let kind = if measure.grows {
                MetricType::Counter
            } else {
                MetricType::Gauge
            };
            let mut family = encoder.encode_descriptor(measure.name, measure.help, None, kind)?;
            for (labels, value) in &measure.values {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let one = family.encode_family(&labels)?;
                if measure.grows {
                    ConstCounter::new(*value).encode(one)?;
                } else {
                    ConstGauge::new(i64::try_from(*value).unwrap_or(i64::MAX)).encode(one)?;
                }
            }
        }
        Ok(())
    }
}
