//! Code generated from the schemas in `proto/` (`cargo xtask codegen`).

pub(crate) mod rpc;
