//! What services count, looked up when somebody asks: nothing is told while nobody does.

use crate::Fact;
use futures_util::future::BoxFuture;
use std::{fmt, sync::Arc};

/// A service that counts something. It is listed in [`Measures`] when it is built.
pub trait Measured: Send + Sync + fmt::Debug + 'static {
    /// What it has counted so far. A service that has ended says nothing.
    fn measure(&self) -> BoxFuture<'static, Vec<Measure>>;
}

/// The services of a node that count something.
#[derive(Clone, Default, Debug)]
pub struct Measures(pub Arc<[Arc<dyn Measured>]>);

impl Fact for Measures {}

impl Measures {
    /// Lists one more service. What it holds is kept until the node ends: not the [`Host`](crate::Host), which would never end
    /// then.
    pub fn add(&mut self, measured: impl Measured) {
        let measured: Arc<dyn Measured> = Arc::new(measured);
        self.0 = self.0.iter().cloned().chain([measured]).collect();
    }
}

/// Something that is counted, by what its labels say.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Measure {
    /// Its name, `gossipsub_peers` for instance: words of small letters, without a unit's prefix.
    pub name: &'static str,
    /// What it is, as a phrase.
    pub help: &'static str,
    /// Whether it only grows, or is what is the case now.
    pub grows: bool,
    /// Its values, each with its labels. Labels have few values, and none that a stranger can make up.
    pub values: Vec<(Vec<(&'static str, String)>, u64)>,
}

impl Measure {
    /// What only grows.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        let (grows, values) = (true, Vec::new());
        Self {
            name,
            help,
            grows,
            values,
        }
    }

    /// What is the case now.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Self {
            grows: false,
            ..Self::counter(name, help)
        }
    }

    /// Adds the one value of something without labels.
    #[must_use]
    pub fn value(mut self, value: u64) -> Self {
        self.values.push((Vec::new(), value));
        self
    }

    /// Adds the value of those with a label.
    #[must_use]
    pub fn labelled(mut self, name: &'static str, label: impl Into<String>, value: u64) -> Self {
        self.values.push((vec![(name, label.into())], value));
        self
    }
}
