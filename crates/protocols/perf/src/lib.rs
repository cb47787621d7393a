//! The perf protocol of libp2p: throughput and latency between two of your own machines.
