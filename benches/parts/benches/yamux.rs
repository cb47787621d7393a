//! The byte machine of yamux: headers, and writes of several sizes on their way out of one side and into the other.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use bytes::{Buf, Bytes};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sinew_machine::Instant;
use sinew_yamux::{
    Config,
    machine::{Batch, Connection, Flags, Header, Kind, Side, Unbounded},
};
use std::{
    hint::black_box,
    task::Poll,
    time::{self, Duration},
};

/// A message of a protocol, a packet, what goes in one frame beside others, what fills one alone.
const SIZES: [usize; 4] = [64, 1 << 10, 16 << 10, 64 << 10];

/// What is on its way at once: less than the first window of a stream.
const FLIGHT: usize = 128 << 10;

/// Writes that are timed together, so that the clock costs little beside them.
const GROUP: usize = 32;

/// Two sides with a stream between them.
struct Pair {
    client: Connection<()>,
    server: Connection<()>,
    stream: u32,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let side = |side| Connection::new(Config::default(), side, Instant::ZERO, Box::new(Unbounded));
        let (mut client, server) = (side(Side::Client), side(Side::Server));
        let Poll::Ready(Ok(stream)) = client.open(Instant::ZERO, &mut None, || ()) else {
            unreachable!("a new connection has room for a stream")
        };
        Self {
            client,
            server,
            stream,
            now: Instant::ZERO,
        }
    }

    /// Writes `count` chunks and takes the frames off the machine.
    fn encode(&mut self, chunk: &Bytes, count: usize) -> Bytes {
        for _ in 0..count {
            let mut chunk = chunk.clone();
            let written = self.client.write(self.stream, &mut chunk, || ());
            assert!(
                matches!(written, Poll::Ready(Ok(_))) && chunk.is_empty(),
                "there is room"
            );
        }
        leaving(&mut self.client, self.now)
    }

    /// Reads the frames, and all that they bring.
    fn decode(&mut self, frames: Bytes) -> usize {
        self.server.receive(self.now, frames).expect("frames of ours");
        let mut read = 0;
        while let Poll::Ready(Ok(Some(bytes))) = self.server.read(self.now, self.stream, usize::MAX, || ()) {
            read += bytes.len();
        }
        read
    }

    /// Takes the other direction back, which is what windows are renewed with, and lets time go on.
    fn renew(&mut self) {
        let updates = leaving(&mut self.server, self.now);
        self.client.receive(self.now, updates).expect("frames of ours");
        self.now = Instant(self.now.0 + 1_000_000);
    }
}

fn leaving(side: &mut Connection<()>, now: Instant) -> Bytes {
    let mut batch = Batch::default();
    side.transmit(now, usize::MAX, &mut batch);
    let frames = batch.copy_to_bytes(batch.remaining());
    side.written(frames.len());
    frames
}

/// How long so many writes take on their way out, and on their way in.
fn transfer(writes: u64, size: usize) -> (Duration, Duration) {
    let (mut pair, chunk) = (Pair::new(), Bytes::from(vec![1; size]));
    let group = (FLIGHT / size).clamp(1, GROUP);
    let (mut out, mut into, mut left) = (Duration::ZERO, Duration::ZERO, writes);
    while left > 0 {
        let count = usize::try_from(left).map_or(group, |left| left.min(group));
        let began = time::Instant::now();
        let frames = black_box(pair.encode(&chunk, count));
        let encoded = time::Instant::now();
        assert_eq!(black_box(pair.decode(frames)), count * size);
        out += encoded - began;
        into += encoded.elapsed();
        pair.renew();
        left -= count as u64;
    }
    (out, into)
}

fn transfers(c: &mut Criterion) {
    for (name, pick) in [
        (
            "yamux encode",
            (|times| times.0) as fn((Duration, Duration)) -> Duration,
        ),
        ("yamux decode", |times| times.1),
    ] {
        let mut group = c.benchmark_group(name);
        for size in SIZES {
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter_custom(|writes| pick(transfer(writes, size)));
            });
        }
    }
}

fn headers(c: &mut Criterion) {
    let header = Header::new(Kind::Data, Flags::NONE, 7, 16 << 10);
    let bytes = header.encode();
    c.bench_function("yamux header encode", |b| b.iter(|| black_box(&header).encode()));
    c.bench_function("yamux header decode", |b| {
        b.iter(|| Header::decode(black_box(&bytes)).expect("a header of ours"));
    });
}

criterion_group!(benches, headers, transfers);
criterion_main!(benches);
