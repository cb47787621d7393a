//! The decisions of the host that need no task: pure, and timed by argument.

pub(crate) mod announce;
pub(crate) mod backoff;
pub(crate) mod black_hole;
pub(crate) mod idle;
pub(crate) mod observed;
pub(crate) mod pending;
pub(crate) mod places;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod rate;
pub(crate) mod schedule;
pub(crate) mod slots;
pub(crate) mod source;
pub(crate) mod tags;
pub(crate) mod trim;
pub(crate) mod waste;
