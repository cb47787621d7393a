//! Baselines: what a scenario gave before.

use crate::report::Figures;

/// How far a figure may stray from its baseline, as a share of it.
const TOLERANCE: f64 = 0.10;

/// How far a figure may stray however small its baseline is.
const LEAST: f64 = 0.05;

/// How much less may be delivered.
const DELIVERY: f64 = 0.001;

impl Figures {
    /// The figures with their names, but for the delivery.
    fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("p50_ms", self.p50_ms),
            ("p99_ms", self.p99_ms),
            ("hops", self.hops),
            ("duplicates", self.duplicates),
            ("control_bytes", self.control_bytes),
            ("mesh", self.mesh),
        ]
    }

    /// The figures as they are kept: in four decimal places.
    #[must_use]
    pub fn rounded(&self) -> Self {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        Self {
            delivery: round(self.delivery),
            p50_ms: round(self.p50_ms),
            p99_ms: round(self.p99_ms),
            hops: round(self.hops),
            duplicates: round(self.duplicates),
            control_bytes: round(self.control_bytes),
            mesh: round(self.mesh),
        }
    }

    /// Where these figures are too far from a baseline, for better or worse: a better baseline is to be written then.
    #[must_use]
    pub fn strays(&self, baseline: &Self) -> Vec<String> {
        let mut strays = Vec::new();
        if self.delivery < baseline.delivery - DELIVERY {
            let (now, then) = (self.delivery, baseline.delivery);
            strays.push(format!("delivery is {now:.5}, and was {then:.5}"));
        }
        for ((name, now), (_, then)) in self.named().into_iter().zip(baseline.named()) {
            if (now - then).abs() > LEAST.max(then * TOLERANCE) {
                strays.push(format!("{name} is {now:.2}, and was {then:.2}"));
            }
        }
        strays
    }
}

#[cfg(test)]
mod tests {
    use crate::report::Figures;

    #[test]
    fn a_little_is_tolerated() {
        let then = Figures {
            delivery: 1.0,
            p50_ms: 200.0,
            p99_ms: 400.0,
            hops: 4.0,
            duplicates: 5.0,
            control_bytes: 0.0,
            mesh: 8.0,
        };
        let near = Figures {
            delivery: 0.9995,
            p50_ms: 219.0,
            control_bytes: 0.04,
            ..then
        };
        assert_eq!(near.strays(&then), Vec::<String>::new());
        let far = Figures {
            delivery: 0.998,
            p99_ms: 441.0,
            hops: 3.5,
            control_bytes: 0.06,
            ..then
        };
        assert_eq!(far.strays(&then).len(), 4);
    }
}
