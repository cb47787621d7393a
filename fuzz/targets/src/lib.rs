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

mod access;
mod addr;
mod config;
mod identify;
mod identity;
mod mplex;
mod multistream;
mod pubsub;
mod record;
mod request_response;
mod security;
mod websocket;
mod wire;
mod yamux;

/// A decoder with its promises.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Feeds it; panics when a promise is broken.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("varint", wire::varint),
    target("frame", wire::frame),
    target("protobuf_fields", wire::protobuf_fields),
    target("peer_id", identity::peer_id),
    target("public_key", identity::public_key),
    target("private_key", identity::private_key),
    target("multiaddr_bytes", addr::multiaddr_bytes),
    target("multiaddr_text", addr::multiaddr_text),
    target("access_list", access::list),
    target("envelope", record::envelope),
    target("peer_record", record::peer_record),
    target("multistream", multistream::negotiations),
    target("noise_payload", security::noise_payload),
    target("noise_handshake", security::noise_handshake),
    target("noise_transport", security::noise_transport),
    target("plaintext_exchange", security::plaintext_exchange),
    target("tls_certificate", security::tls_certificate),
    target("pnet_key_file", security::pnet_key_file),
    target("yamux", yamux::machine),
    target("mplex", mplex::machine),
    target("websocket_addr", websocket::addr),
    target("websocket_frames", websocket::frames),
    target("identify", identify::message),
    target("request_response", request_response::message),
    target("config", config::text),
    target("pubsub_rpc", pubsub::rpc),
    target("pubsub_message", pubsub::message),
    target("floodsub", pubsub::floodsub),
    target("gossipsub", pubsub::gossipsub),
];

/// The target of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
