//! By what messages of peers are dropped while validation is overloaded.

use crate::{
    ParamsError,
    params::{first, is_gain},
};
use sinew_floodsub::Topic;
use std::{collections::BTreeMap, time::Duration};

/// How messages are dropped before they are validated, while there are more than can be. By the names and with the defaults of
/// go-libp2p; the specification has nothing of the kind.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct GaterParams {
    /// The share of messages for which there was no room, of those that were validated, from which on messages are dropped:
    /// 0.33.
    pub threshold: f64,
    /// What is left of both numbers after each decay interval, between 0 and 1: a hundredth after two minutes.
    pub global_decay: f64,
    /// What is left of the numbers of an address after each decay interval, between 0 and 1: a hundredth after an hour.
    pub source_decay: f64,
    /// Time between two decays: 1 s.
    pub decay_interval: Duration,
    /// What is less than this is zero: 0.01.
    pub decay_to_zero: f64,
    /// How long the numbers of an address are remembered without a peer behind it: 6 h.
    pub retain: Duration,
    /// For how long there has to be room for every message, until none are dropped any more: 60 s.
    pub quiet: Duration,
    /// How much a copy of a known message counts: 0.125.
    pub duplicate_weight: f64,
    /// How much a message counts that was ignored: 1.
    pub ignore_weight: f64,
    /// How much a message counts that is none: 16.
    pub reject_weight: f64,
    /// How much a message of some topics counts that was accepted; 1 for all others.
    pub delivery_weights: BTreeMap<Topic, f64>,
}

impl Default for GaterParams {
    fn default() -> Self {
        let decay_to_zero: f64 = 0.01;
        // go, ScoreParameterDecay: from one to nothing in so many decay intervals
        let within = |intervals: f64| decay_to_zero.powf(1.0 / intervals);
        Self {
            threshold: 0.33,
            global_decay: within(120.0),
            source_decay: within(3600.0),
            decay_interval: Duration::from_secs(1),
            decay_to_zero,
            retain: Duration::from_secs(6 * 3600),
            quiet: Duration::from_secs(60),
            duplicate_weight: 0.125,
            ignore_weight: 1.0,
            reject_weight: 16.0,
            delivery_weights: BTreeMap::new(),
        }
    }
}

impl GaterParams {
    pub(crate) fn check(&self) -> Result<(), ParamsError> {
        let is_share = |value: f64| value > 0.0 && value < 1.0;
        let is_weight = |value: f64| value > 0.0 && is_gain(value);
        if self.decay_interval.is_zero() {
            return Err(ParamsError::Zero("decay_interval"));
        }
        first(&[
            ("threshold", is_weight(self.threshold)),
            ("global_decay", is_share(self.global_decay)),
            ("source_decay", is_share(self.source_decay)),
            ("decay_to_zero", is_share(self.decay_to_zero)),
            ("duplicate_weight", is_weight(self.duplicate_weight)),
            ("ignore_weight", is_gain(self.ignore_weight - 1.0)),
            ("reject_weight", is_gain(self.reject_weight - 1.0)),
            (
                "delivery_weights",
                self.delivery_weights.values().copied().all(is_weight),
            ),
        ])
    }
}
