//! multistream-select: both sides of a negotiation, byte machines and nothing between them.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use criterion::{Criterion, criterion_group, criterion_main};
use sinew_machine::ProtocolId;
use sinew_multistream::machine::{Choice, Dialer, Listener, Negotiation};

fn protocols(count: usize) -> Vec<ProtocolId> {
    let names = (0..count).map(|number| format!("/bench/protocol-{number}/1.0.0"));
    names.map(ProtocolId::from).collect()
}

/// Negotiates to the end.
fn agree(proposed: Vec<ProtocolId>, offered: &[ProtocolId]) -> Choice {
    let mut dialer = Dialer::new(proposed).expect("names that can be sent");
    let mut listener = Listener::new(offered);
    loop {
        let sent = dialer.transmit();
        listener.receive(&sent).expect("messages of ours");
        let sent = listener.transmit();
        if let (_, Some(choice)) = dialer.receive(&sent).expect("messages of ours") {
            return choice;
        }
    }
}

fn negotiations(c: &mut Criterion) {
    let all = protocols(16);
    let accepted = Choice::Accepted(all[15].clone());
    c.bench_function("multistream one proposal of 16 on offer", |b| {
        b.iter(|| assert_eq!(agree(vec![all[15].clone()], &all), accepted));
    });
    c.bench_function("multistream third proposal", |b| {
        let proposed = vec![all[0].clone(), all[1].clone(), all[15].clone()];
        b.iter(|| assert_eq!(agree(proposed.clone(), &all[15..]), accepted));
    });
    c.bench_function("multistream nothing in common", |b| {
        b.iter(|| assert_eq!(agree(vec![all[0].clone()], &all[1..]), Choice::Refused));
    });
}

criterion_group!(benches, negotiations);
criterion_main!(benches);
