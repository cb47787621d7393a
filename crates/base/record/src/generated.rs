//! Code generated from the schemas in `proto/` (`cargo xtask codegen`).

pub(crate) mod envelope;
pub(crate) mod peer_record;
