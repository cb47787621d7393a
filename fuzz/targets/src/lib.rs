//! What the fuzzer runs: for each decoder a function of bytes that panics when the decoder breaks a promise.
//!
//! The functions are ordinary code. `cargo xtask fuzz` runs them under libFuzzer, and `cargo test` replays the corpora
//! in `fuzz/corpus` through them. A new decoder is a function in the module of its crate and a row in [`TARGETS`].
//!
//! ```
//! let target = sinew_fuzz_targets::by_name("varint").expect("a target of that name");
//! (target.run)(&[0xac, 0x02]);
//! ```
//!
//! What it deliberately does not do: say what decoded messages mean. That is for the tests of each crate.

mod identity;
mod multistream;
mod security;
mod wire;

/// A decoder with its promises.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Feeds it; panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "peer_id",
        run: identity::peer_id,
    },
    Target {
        name: "public_key",
        run: identity::public_key,
    },
    Target {
        name: "private_key",
        run: identity::private_key,
    },
    Target {
        name: "noise_payload",
        run: security::noise_payload,
    },
    Target {
        name: "noise_handshake",
        run: security::noise_handshake,
    },
    Target {
        name: "noise_transport",
        run: security::noise_transport,
    },
    Target {
        name: "plaintext_exchange",
        run: security::plaintext_exchange,
    },
    Target {
        name: "varint",
        run: wire::varint,
    },
    Target {
        name: "frame",
        run: wire::frame,
    },
    Target {
        name: "protobuf_fields",
        run: wire::protobuf_fields,
    },
    Target {
        name: "multistream",
        run: multistream::negotiations,
    },
];

/// The target of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
