//! What a series of measurements comes to, as the perf suite has it.

/// A series with its quartiles. What lies further out than one and a half times their distance is an outlier.
#[derive(Debug, PartialEq)]
pub(super) struct Statistics {
    /// The least and the greatest that are no outliers.
    min: f64,
    q1: f64,
    median: f64,
    q3: f64,
    max: f64,
    outliers: Vec<f64>,
    /// All, in their order.
    samples: Vec<f64>,
}

impl Statistics {
    /// Of these; an error if there are none.
    pub(super) fn of(mut samples: Vec<f64>) -> Result<Self, &'static str> {
        samples.sort_by(f64::total_cmp);
        let (q1, median, q3) = (
            quantile(&samples, 0.25).ok_or("nothing was measured")?,
            quantile(&samples, 0.5).unwrap_or_default(),
            quantile(&samples, 0.75).unwrap_or_default(),
        );
        let reach = 1.5 * (q3 - q1);
        let (inner, outliers): (Vec<f64>, Vec<f64>) = samples
            .iter()
            .partition(|sample| (q1 - reach..=q3 + reach).contains(*sample));
        Ok(Self {
            // The quartiles lie among the samples, so some are always inside.
            min: inner.first().copied().unwrap_or(median),
            q1,
            median,
            q3,
            max: inner.last().copied().unwrap_or(median),
            outliers,
            samples,
        })
    }

    /// The lines of one measurement, with so many decimals.
    pub(super) fn yaml(&self, decimals: usize, unit: &str) -> String {
        let list = |values: &[f64]| {
            let texts: Vec<_> = values.iter().map(|value| format!("{value:.decimals$}")).collect();
            texts.join(", ")
        };
        let Self {
            min,
            q1,
            median,
            q3,
            max,
            outliers,
            samples,
        } = self;
        format!(
            "  iterations: {}\n  min: {min:.decimals$}\n  q1: {q1:.decimals$}\n  median: {median:.decimals$}\n  \
             q3: {q3:.decimals$}\n  max: {max:.decimals$}\n  outliers: [{}]\n  samples: [{}]\n  unit: {unit}\n",
            samples.len(),
            list(outliers),
            list(samples),
        )
    }
}

/// Between the two neighbours of the place, in proportion.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in a list that is in memory"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_their_neighbours() {
        let found = Statistics::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((found.q1, found.median, found.q3), (1.75, 2.5, 3.25));
        assert_eq!((found.min, found.max, found.outliers.len()), (1.0, 4.0, 0));
    }

    #[test]
    fn outliers_are_neither_least_nor_greatest() {
        let found = Statistics::of(vec![10.0, 11.0, 12.0, 13.0, 14.0, 100.0, -80.0]).unwrap();
        assert_eq!((found.min, found.max), (10.0, 14.0));
        assert_eq!(found.outliers, [-80.0, 100.0]);
    }

    #[test]
    fn one_sample_is_all_of_them() {
        let found = Statistics::of(vec![2.0]).unwrap();
        assert_eq!(
            (found.min, found.q1, found.median, found.q3, found.max),
            (2.0, 2.0, 2.0, 2.0, 2.0)
        );
        assert!(Statistics::of(Vec::new()).is_err());
    }

    #[test]
    fn the_lines_are_the_suites() {
        let yaml = Statistics::of(vec![1.0, 1.5]).unwrap().yaml(2, "Gbps");
        assert_eq!(
            yaml,
            "  iterations: 2\n  min: 1.00\n  q1: 1.12\n  median: 1.25\n  q3: 1.38\n  max: 1.50\n  outliers: []\n  \
             samples: [1.00, 1.50]\n  unit: Gbps\n"
        );
    }
}
