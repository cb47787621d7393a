//! Handshakes, both ends in one thread: Noise as machines, Noise and TLS over pipes in memory.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use criterion::{Criterion, criterion_group, criterion_main};
use sinew_core::{Role, SecureRequest, SecureUpgrade};
use sinew_crypto::x25519::Secret;
use sinew_identity::{Keypair, PeerId};
use sinew_noise::{
    Noise,
    machine::{Handshake, Next, StaticKey},
};
use sinew_tls::Tls;
use tokio::io::duplex;

/// More than any message of a handshake has.
const PIPE: usize = 16 << 10;

/// An XX handshake without any input or output.
fn noise_machines(dialer: &StaticKey, listener: &StaticKey) {
    let side = |initiator, key| Handshake::new(initiator, key, Secret::generate(), None, Vec::new());
    let (mut dialer, mut listener) = (side(true, dialer), side(false, listener));
    let mut done = [false; 2];
    while done != [true; 2] {
        for side in [0, 1] {
            let (from, to) = if side == 0 {
                (&mut dialer, &mut listener)
            } else {
                (&mut listener, &mut dialer)
            };
            if done[side] {
                continue;
            }
            match from.proceed().expect("a message") {
                // The length in front is for whoever reads from a stream.
                Next::Send(message) => to.receive(&message[2..]).expect("a message of ours"),
                Next::Done(_) => done[side] = true,
                Next::Receive { .. } => {}
            }
        }
    }
}

async fn over_a_pipe(dialer: &impl SecureUpgrade, listener: &impl SecureUpgrade, expected: PeerId) {
    let (here, there) = duplex(PIPE);
    let dial = SecureRequest::new(Role::Dialer, Some(expected), Vec::new());
    let accept = SecureRequest::new(Role::Listener, None, Vec::new());
    let both = tokio::try_join!(
        dialer.secure(Box::new(here), dial),
        listener.secure(Box::new(there), accept)
    );
    both.expect("both sides are ours");
}

fn handshakes(c: &mut Criterion) {
    let (alice, bob) = (Keypair::generate(), Keypair::generate());
    let expected = bob.peer_id();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime");

    let key = |of: &Keypair| StaticKey::new(Secret::generate(), of).expect("a key that signs");
    let keys = (key(&alice), key(&bob));
    c.bench_function("handshake noise machines", |b| {
        b.iter(|| noise_machines(&keys.0, &keys.1));
    });

    let noise = |of: &Keypair| Noise::new(of).expect("a key that signs");
    let noises = (noise(&alice), noise(&bob));
    c.bench_function("handshake noise", |b| {
        b.iter(|| runtime.block_on(over_a_pipe(&noises.0, &noises.1, expected)));
    });

    let tls = |of: &Keypair| Tls::new(of).expect("a key that signs");
    let tlses = (tls(&alice), tls(&bob));
    c.bench_function("handshake tls", |b| {
        b.iter(|| runtime.block_on(over_a_pipe(&tlses.0, &tlses.1, expected)));
    });
}

criterion_group!(benches, handshakes);
criterion_main!(benches);
