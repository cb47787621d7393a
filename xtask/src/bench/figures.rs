//! The arithmetic: what one run came to, and what several came to together.

use serde::{Deserialize, Serialize};

use super::rows::Measure;

const MIB: f64 = (1 << 20) as f64;
const GIB: f64 = (1 << 30) as f64;

/// What a client says of its measurement.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Counted {
    pub(crate) units: u64,
    /// Of programs that can go on behind a failure.
    #[serde(default)]
    pub(crate) failed: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

/// What one run came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    /// The row's figure.
    pub(crate) value: f64,
    /// Processor time a unit of the row, of client and server.
    pub(crate) cpu: Option<[f64; 2]>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
}

impl Sample {
    /// From the client's word, the processor seconds of client and server, and by how much the server grew.
    pub(crate) fn new(measure: Measure, counted: &Counted, cpu: [f64; 2], grown: f64) -> Self {
        let (units, bytes) = (counted.units as f64, counted.bytes as f64);
        let value = match measure {
            Measure::Throughput => bytes / MIB / counted.seconds,
            Measure::Rate => units / counted.seconds,
            Measure::Latency => counted.p50_us.unwrap_or(f64::NAN),
            Measure::Tail => counted.p99_us.unwrap_or(f64::NAN),
            Measure::Memory => grown / 1024.0 / units,
            Measure::Cpu => (cpu[0] + cpu[1]) * 1e6 / units,
        };
        let cpu = match measure {
            Measure::Throughput => Some(cpu.map(|seconds| seconds / (bytes / GIB))),
            Measure::Rate | Measure::Latency => Some(cpu.map(|seconds| seconds * 1e6 / units)),
            Measure::Tail | Measure::Memory | Measure::Cpu => None,
        };
        Self {
            value,
            cpu,
            p50_us: counted.p50_us,
            p99_us: counted.p99_us,
        }
    }
}

/// What several runs came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) quartiles: [f64; 2],
    pub(crate) cpu: Option<[f64; 2]>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) samples: Vec<Sample>,
}

impl Summary {
    /// Medians of all; `None` without a run.
    pub(crate) fn of(samples: Vec<Sample>) -> Option<Self> {
        let values = sorted(samples.iter().map(|sample| sample.value));
        let of = |pick: fn(&Sample) -> Option<f64>| median(samples.iter().filter_map(pick));
        let cpu = |pick: fn(&Sample) -> Option<f64>| of(pick);
        let (client, server) = (
            cpu(|sample| sample.cpu.map(|cpu| cpu[0])),
            cpu(|sample| sample.cpu.map(|cpu| cpu[1])),
        );
        Some(Self {
            median: quantile(&values, 0.5)?,
            min: *values.first()?,
            max: *values.last()?,
            quartiles: [quantile(&values, 0.25)?, quantile(&values, 0.75)?],
            cpu: client.zip(server).map(|(client, server)| [client, server]),
            p50_us: of(|sample| sample.p50_us),
            p99_us: of(|sample| sample.p99_us),
            samples,
        })
    }
}

/// How many times the other's figure ours is.
pub(crate) fn ratio(ours: &Summary, theirs: &Summary) -> f64 {
    ours.median / theirs.median
}

/// Half of the values are no larger; `None` without any.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Between the two nearest samples, in proportion; `None` without any.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: f64) -> Sample {
        Sample {
            value,
            cpu: Some([value, 2.0 * value]),
            p50_us: None,
            p99_us: None,
        }
    }

    fn summary(values: &[f64]) -> Summary {
        Summary::of(values.iter().copied().map(sample).collect()).unwrap()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let odd = summary(&[9.0, 1.0, 5.0]);
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 5.0, 9.0));
        assert_eq!(odd.cpu, Some([5.0, 10.0]));
        let even = summary(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!((even.median, even.quartiles), (2.5, [1.75, 3.25]));
        assert_eq!(summary(&[7.0]).quartiles, [7.0, 7.0]);
        assert!(Summary::of(Vec::new()).is_none());
    }

    #[test]
    fn a_ratio_is_ours_over_theirs() {
        assert_eq!(ratio(&summary(&[3.0]), &summary(&[2.0])), 1.5);
    }

    #[test]
    fn each_measure_has_its_units() {
        let counted = Counted {
            units: 4,
            failed: 0,
            bytes: 1 << 30,
            seconds: 2.0,
            p50_us: Some(7.0),
            p99_us: Some(9.0),
        };
        let of = |measure| Sample::new(measure, &counted, [0.5, 1.0], 40_960.0);
        let throughput = of(Measure::Throughput);
        assert_eq!((throughput.value, throughput.cpu), (512.0, Some([0.5, 1.0])));
        let rate = of(Measure::Rate);
        assert_eq!((rate.value, rate.cpu), (2.0, Some([125_000.0, 250_000.0])));
        assert_eq!(
            (of(Measure::Latency).value, of(Measure::Latency).cpu),
            (7.0, rate.cpu)
        );
        assert_eq!((of(Measure::Tail).value, of(Measure::Tail).cpu), (9.0, None));
        assert_eq!(of(Measure::Cpu).value, 375_000.0);
        let memory = of(Measure::Memory);
        assert_eq!((memory.value, memory.cpu), (10.0, None));
    }
}
