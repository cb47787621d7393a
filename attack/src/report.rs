//! Figures of a row, and what is wrong with them.

use crate::rows::Cut;
use serde::Serialize;
use serde_json::Value;

/// The value below which this share of the samples lies; `None` without samples.
pub(crate) fn quantile(samples: &[f64], share: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1))?;
    Some((value * 100.0).round() / 100.0)
}

/// What a target holds.
#[derive(Clone, Copy, Serialize, Debug)]
pub(crate) struct Held {
    pub(crate) resident: u64,
    pub(crate) descriptors: usize,
    /// Of our target only.
    pub(crate) connections: Option<u64>,
    /// Of our target only.
    pub(crate) tasks: Option<u64>,
}

/// What one row did.
#[derive(Serialize, Debug)]
pub(crate) struct Figures {
    pub(crate) row: &'static str,
    pub(crate) stack: String,
    pub(crate) goal: &'static str,
    pub(crate) alive: bool,
    pub(crate) before: Held,
    pub(crate) peak: u64,
    pub(crate) after: Held,
    /// The target's processor time in the attack, in per cent of a core; the honest load is in it.
    pub(crate) cpu_percent: f64,
    /// The same for each of what the attack sent, in µs.
    pub(crate) cpu_each_us: Option<f64>,
    /// What became of whoever connected. Of our target only.
    pub(crate) counted: Value,
    /// How peers of gossipsub were judged, and what it counted. Of our target only, in rows of gossipsub.
    pub(crate) judged: Value,
    pub(crate) attack: Value,
    pub(crate) honest: Value,
}

impl Figures {
    /// What must not be; memory and times are reported and not judged.
    pub(crate) fn faults(&self, cut: Cut) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |wrong: bool, fault: String| {
            if wrong {
                faults.push(fault);
            }
        };
        check(!self.alive, "the target has died".to_owned());
        for name in ["visits_lost", "kept_lost"] {
            let lost = &self.honest[name];
            check(
                lost != 0,
                format!("{name}: {lost} ({})", self.honest["lost_because"]),
            );
        }
        let group = &self.honest["pubsub"];
        let (delivered, expected) = (&group["delivered"], &group["expected"]);
        check(
            delivered != expected || *expected == 0,
            format!("{delivered} of {expected} messages delivered"),
        );
        let repeated = group["repeated"].as_u64().unwrap_or(0);
        check(repeated > 0, format!("{repeated} messages delivered again"));
        let punished = self.punished();
        check(punished > 0, format!("{punished} honest peers punished"));
        let (made, ended) = (&self.attack["made"], &self.attack["cut"]);
        let is_mute = !group.is_null() && self.attack["sent"] == 0;
        check(made == 0 || is_mute, "the attack did not begin".to_owned());
        let kept = made
            .as_u64()
            .unwrap_or(0)
            .saturating_sub(ended.as_u64().unwrap_or(0));
        let allowed = match cut {
            Cut::All => 0,
            Cut::AllBut(kept) => kept,
            Cut::Free => u64::MAX,
        };
        check(kept > allowed, format!("cut {ended} of {made}"));
        let (before, after) = (&self.before, &self.after);
        let more = |what: &str, before, after| format!("{after} {what}, {before} before");
        check(
            after.descriptors > before.descriptors,
            more("descriptors", before.descriptors as u64, after.descriptors as u64),
        );
        for (what, before, after) in [
            ("connections", before.connections, after.connections),
            ("tasks", before.tasks, after.tasks),
        ] {
            let (before, after) = (before.unwrap_or(0), after.unwrap_or(0));
            check(after > before, more(what, before, after));
        }
        faults
    }

    /// How many honest peers had a score below zero.
    fn punished(&self) -> usize {
        let of = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let members = of(&self.honest["pubsub"]["members"]);
        let below = of(&self.judged["below_zero"]);
        members.iter().filter(|member| below.contains(member)).count()
    }
}

/// MiB over the start.
pub(crate) fn over(now: u64, start: u64) -> f64 {
    (now as f64 - start as f64) / f64::from(1 << 20)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Figures, Held, quantile};
    use crate::rows::Cut;
    use serde_json::{Value, json};

    pub(crate) fn figures() -> Figures {
        let held = Held {
            resident: 0,
            descriptors: 30,
            connections: Some(20),
            tasks: Some(70),
        };
        Figures {
            row: "row",
            stack: String::new(),
            goal: "",
            alive: true,
            before: held,
            peak: 0,
            after: held,
            cpu_percent: 0.0,
            cpu_each_us: None,
            counted: Value::Null,
            judged: json!({ "below_zero": ["attacker"] }),
            attack: json!({ "made": 3, "cut": 3 }),
            honest: json!({
                "visits_lost": 0,
                "kept_lost": 0,
                "pubsub": {
                    "expected": 7,
                    "delivered": 7,
                    "repeated": 0,
                    "p50_ms": 1,
                    "p99_ms": 2,
                    "members": ["honest"],
                },
            }),
        }
    }

    #[test]
    fn quantiles_are_samples() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 1.0), Some(3.0));
        assert_eq!(quantile(&[1.0], 0.99), Some(1.0));
    }

    type Change = fn(&mut Figures);

    #[test]
    fn counts_are_judged() {
        assert_eq!(figures().faults(Cut::All), Vec::<String>::new());
        let cases: [(Change, &str); 10] = [
            (|figures| figures.alive = false, "died"),
            (|figures| figures.honest["visits_lost"] = json!(1), "visits_lost"),
            (|figures| figures.attack["cut"] = json!(2), "cut 2 of 3"),
            (
                |figures| figures.attack = json!({ "made": 0, "cut": 0 }),
                "did not begin",
            ),
            (|figures| figures.attack["sent"] = json!(0), "did not begin"),
            (
                |figures| figures.honest["pubsub"]["delivered"] = json!(6),
                "6 of 7 messages delivered",
            ),
            (
                |figures| figures.honest["pubsub"]["repeated"] = json!(1),
                "1 messages delivered again",
            ),
            (
                |figures| figures.judged["below_zero"] = json!(["attacker", "honest"]),
                "1 honest peers punished",
            ),
            (|figures| figures.after.descriptors = 31, "31 descriptors"),
            (|figures| figures.after.tasks = Some(71), "71 tasks"),
        ];
        for (change, fault) in cases {
            let mut figures = figures();
            change(&mut figures);
            let faults = figures.faults(Cut::All);
            assert!(
                faults.iter().any(|found| found.contains(fault)),
                "{fault}: {faults:?}"
            );
        }
        let mut free = figures();
        free.attack["cut"] = json!(0);
        assert_eq!(free.faults(Cut::Free), Vec::<String>::new());
    }
}
