//! The interfaces of Sinew: transports, upgrades, muxers, streams, the host and services.
