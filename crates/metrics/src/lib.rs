//! Metrics of a Sinew node for Prometheus.
