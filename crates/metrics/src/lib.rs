//! Metrics of a node, in the text form of OpenMetrics that Prometheus reads.
//!
//! [`Metrics`] is a [`Meter`](sinew_core::Meter): a host that is built with it tells it of connections, dials, handshakes,
//! streams and bytes. [`Metrics::serve`] makes a service that answers `GET /metrics`, and adds to each answer what the
//! host uses of its limits, and what other services count ([`Measured`](sinew_core::Measured)): gossipsub does, and needs
//! nothing but to be added to the same node. [`NAMES`] lists what there is without them; `docs/metrics.json` is a dashboard
//! for it all.
//!
//! ```
//! use sinew_core::Meter;
//! use sinew_metrics::Metrics;
//! use std::time::Duration;
//!
//! let metrics = Metrics::default();
//! metrics.attempted("tcp", Duration::from_millis(3), Ok(()));
//! let text = metrics.encode();
//! assert!(text.contains("sinew_dials_total{transport=\"tcp\",outcome=\"ok\"} 1"));
//! ```
//!
//! Labels never hold what a stranger can make up: protocols are named by their handlers, failures by their layer, and
//! peers and addresses stand in logs only. It deliberately pushes nothing anywhere and keeps no history.

mod labels;
mod measures;
mod meter;
mod names;
mod server;
mod snapshot;

pub use meter::Metrics;
pub use names::NAMES;
pub use server::{MetricsServer, ServeError};
