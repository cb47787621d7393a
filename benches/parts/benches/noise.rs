//! The transport phase of Noise: sealing and opening writes of several sizes.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sinew_noise::machine::{Inbound, MAX_TEXT, Outbound};
use std::{hint::black_box, io::IoSlice};

const KEY: [u8; 32] = [7; 32];

/// A message of a protocol, a packet, what a peer of go or rust sends at once, and the largest frame.
const SIZES: [usize; 5] = [64, 1 << 10, 4 << 10, 16 << 10, MAX_TEXT];

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("noise seal");
    for size in SIZES {
        let text = vec![1; size];
        let mut outbound = Outbound::new(&KEY);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                let sealed = outbound.write(&[IoSlice::new(&text)]);
                assert_eq!(sealed, Ok(size));
                let pending = black_box(outbound.pending()).len();
                outbound.sent(pending);
            });
        });
    }
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("noise open");
    for size in SIZES {
        let mut out = vec![0; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            // Every frame has a nonce of its own: those to open are sealed before the clock runs.
            let (mut outbound, mut inbound) = (Outbound::new(&KEY), Inbound::with_key(&KEY));
            let text = vec![1; size];
            b.iter_batched(
                || {
                    outbound
                        .write(&[IoSlice::new(&text)])
                        .expect("far from its last nonce");
                    let frame = outbound.pending().to_vec();
                    outbound.sent(frame.len());
                    frame
                },
                |frame| {
                    inbound.push(&frame);
                    assert_eq!(inbound.read(black_box(&mut out)), Ok(size));
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
