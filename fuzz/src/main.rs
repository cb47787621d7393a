//! libFuzzer around one target: the one that the environment variable `SINEW_FUZZ_TARGET` names.
//! `cargo xtask fuzz` builds and runs it.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use sinew_fuzz_targets::{Target, by_name};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var("SINEW_FUZZ_TARGET").expect("SINEW_FUZZ_TARGET names a target");
    by_name(&name).unwrap_or_else(|| panic!("no target {name}"))
}

fuzz_target!(|data: &[u8]| (CHOSEN.get_or_init(chosen).run)(data));
