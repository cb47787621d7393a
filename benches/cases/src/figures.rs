//! What a measurement came to.

use serde::Serialize;
use std::time::Duration;

/// What a measurement came to; the runner reads it.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub(crate) struct Figures {
    /// Streams, connections or requests that were completed.
    pub(crate) units: u64,
    /// Requests that came to nothing, where that does not end the measurement.
    pub(crate) failed: u64,
    /// Bytes that were moved, where bytes are what counts.
    pub(crate) bytes: u64,
    /// From the beginning until the last unit was complete.
    pub(crate) seconds: f64,
    /// Half of the units took no longer; `None` where they are not timed one by one.
    pub(crate) p50_us: Option<f64>,
    /// 99 in a hundred took no longer.
    pub(crate) p99_us: Option<f64>,
}

impl Figures {
    /// Of units that were timed one by one.
    pub(crate) fn timed(mut times: Vec<Duration>, took: Duration) -> Self {
        times.sort_unstable();
        Self {
            units: times.len() as u64,
            failed: 0,
            bytes: 0,
            seconds: took.as_secs_f64(),
            p50_us: quantile(&times, 50),
            p99_us: quantile(&times, 99),
        }
    }

    /// Of units that were not.
    pub(crate) fn counted(units: u64, bytes: u64, took: Duration) -> Self {
        Self {
            units,
            failed: 0,
            bytes,
            seconds: took.as_secs_f64(),
            p50_us: None,
            p99_us: None,
        }
    }
}

/// The nearest rank: a sample, below or at which so many in a hundred lie.
fn quantile(sorted: &[Duration], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    let sample = sorted.get(rank.saturating_sub(1))?;
    Some(sample.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples_of_the_nearest_rank() {
        let times = |count: u64| (1..=count).rev().map(Duration::from_micros).collect();
        let figures = Figures::timed(times(100), Duration::from_secs(2));
        assert_eq!(
            (figures.units, figures.p50_us, figures.p99_us, figures.seconds),
            (100, Some(50.0), Some(99.0), 2.0)
        );
        let few = Figures::timed(times(3), Duration::ZERO);
        assert_eq!((few.p50_us, few.p99_us), (Some(2.0), Some(3.0)));
        let none = Figures::timed(Vec::new(), Duration::ZERO);
        assert_eq!((none.units, none.p50_us), (0, None));
    }
}
