//! Keys of all kinds, and peer ids.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use criterion::{Criterion, criterion_group, criterion_main};
use sinew_identity::{Keypair, PeerId, PublicKey};
use std::hint::black_box;

/// What a Noise handshake has signed: a prefix and a static key.
const MESSAGE: [u8; 56] = [7; 56];

fn keys() -> [(&'static str, Keypair); 4] {
    [
        ("ed25519", Keypair::generate()),
        ("secp256k1", Keypair::generate_secp256k1()),
        ("ecdsa", Keypair::generate_ecdsa()),
        (
            "rsa-2048",
            Keypair::generate_rsa(2048).expect("a size that all stacks take"),
        ),
    ]
}

fn signatures(c: &mut Criterion) {
    for (name, key) in keys() {
        c.bench_function(&format!("sign {name}"), |b| {
            b.iter(|| key.sign(black_box(&MESSAGE)));
        });
        let (public, signature) = (key.public(), key.sign(&MESSAGE).expect("a key that signs"));
        c.bench_function(&format!("verify {name}"), |b| {
            b.iter(|| assert!(public.verify(black_box(&MESSAGE), &signature)));
        });
    }
    c.bench_function("generate ed25519", |b| b.iter(Keypair::generate));
}

fn peer_ids(c: &mut Criterion) {
    for (name, key) in keys() {
        let bytes = key.public().to_protobuf();
        c.bench_function(&format!("public key decode {name}"), |b| {
            b.iter(|| PublicKey::from_protobuf(black_box(&bytes)).expect("a key of ours"));
        });
        let public = key.public();
        c.bench_function(&format!("peer id of {name}"), |b| {
            b.iter(|| PeerId::from_public_key(black_box(public)));
        });
    }
    let id = PeerId::random();
    let (text, bytes) = (id.to_string(), id.to_bytes());
    c.bench_function("peer id print", |b| b.iter(|| black_box(&id).to_string()));
    c.bench_function("peer id parse", |b| {
        b.iter(|| black_box(&text).parse::<PeerId>().expect("its own text"));
    });
    c.bench_function("peer id decode", |b| {
        b.iter(|| PeerId::from_bytes(black_box(&bytes)).expect("its own bytes"));
    });
}

criterion_group!(benches, signatures, peer_ids);
criterion_main!(benches);
