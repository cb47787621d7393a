//! What is measured, by name.

/// The names of the metrics that every node has, as they stand in an answer. Those that count end in `_total` there.
pub const NAMES: [&str; 16] = [
    "sinew_connections",
    "sinew_connections_opened_total",
    "sinew_connections_closed_total",
    "sinew_dials_total",
    "sinew_dial_seconds",
    "sinew_handshakes_total",
    "sinew_handshake_seconds",
    "sinew_streams",
    "sinew_streams_opened_total",
    "sinew_stream_bytes_total",
    "sinew_limit_used",
    "sinew_limit_allowed",
    "sinew_limit_refusals_total",
    "sinew_events_dropped_total",
    "sinew_known_peers",
    "sinew_connected_peers",
];
