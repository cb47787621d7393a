//! Every entry of the byte vectors, with our machine in the place of either side.

use crate::rig::{Frame, Rig, SYN, parse, ping};
use bytes::Bytes;
use serde::Deserialize;
use sinew_machine::CloseCode;
use sinew_yamux::{
    Fault,
    machine::{End, Flags, Header, Kind, Side, StreamError},
};
use std::{collections::BTreeMap, task::Poll};

#[derive(Deserialize)]
struct Entry {
    name: String,
    kind: String,
    #[serde(default)]
    initiator_frames: Vec<Parsed>,
    #[serde(default)]
    responder_frames: Vec<Parsed>,
    initiator_bytes: Option<String>,
    responder_bytes: Option<String>,
    #[serde(default)]
    chunks: Vec<Chunk>,
    result: Option<Verdict>,
}

#[derive(Deserialize)]
struct Parsed {
    r#type: String,
    flags: Vec<String>,
    stream: u32,
    length: u32,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Chunk {
    from: String,
    #[serde(default)]
    hex: String,
}

#[derive(Deserialize)]
struct Verdict {
    session_closed: bool,
}

fn entries() -> Vec<Entry> {
    serde_json::from_str(include_str!("../vectors/yamux.json")).unwrap()
}

fn unhex(text: &str) -> Bytes {
    hex::decode(text).unwrap().into()
}

impl Parsed {
    fn frame(&self) -> Frame {
        let kind = match self.r#type.as_str() {
            "data" => Kind::Data,
            "window_update" => Kind::WindowUpdate,
            "ping" => Kind::Ping,
            "go_away" => Kind::GoAway,
            other => panic!("frame type {other}"),
        };
        let flag = |name: &String| match name.as_str() {
            "SYN" => 1,
            "ACK" => 2,
            "FIN" => 4,
            "RST" => 8,
            other => panic!("flag {other}"),
        };
        let header = Header::new(
            kind,
            Flags(self.flags.iter().map(flag).sum()),
            self.stream,
            self.length,
        );
        let body = match (&self.body, kind) {
            (Some(body), _) => unhex(body),
            (None, Kind::Data) => vec![0; self.length as usize].into(),
            (None, _) => Bytes::new(),
        };
        Frame { header, body }
    }
}

/// What one side's frames say of a stream.
#[derive(Default, PartialEq, Eq, Debug)]
struct Told {
    bytes: Vec<u8>,
    finished: bool,
    reset: Option<CloseCode>,
}

/// What the streams of `frames` say, computed from the frames alone.
fn told(frames: &[Frame]) -> BTreeMap<u32, Told> {
    let mut streams: BTreeMap<u32, Told> = BTreeMap::new();
    for Frame { header, body } in frames {
        if matches!(header.kind, Kind::Ping | Kind::GoAway) {
            continue;
        }
        let told = streams.entry(header.stream).or_default();
        told.bytes.extend_from_slice(body);
        told.finished |= header.flags.has(Flags::FIN);
        if header.flags.has(Flags::RST) {
            told.reset = Some(CloseCode(header.length));
        }
    }
    streams
}

/// Plays `frames` to our machine on `side`, which opens its own streams as the frames ask for them and reads
/// everything at once. Returns what it heard and the machine.
fn play(side: Side, frames: &[Frame], name: &str) -> (BTreeMap<u32, Told>, Rig) {
    let mut rig = Rig::new(side);
    let mut heard: BTreeMap<u32, Told> = BTreeMap::new();
    let ours = if side == Side::Client { 1 } else { 0 };
    for frame in frames {
        let id = frame.header.stream;
        let is_stream = matches!(frame.header.kind, Kind::Data | Kind::WindowUpdate);
        while is_stream && id % 2 == ours && !heard.contains_key(&id) {
            let opened = rig.open();
            rig.machine.announce(opened);
            heard.insert(opened, Told::default());
        }
        rig.feed(frame)
            .unwrap_or_else(|fault| panic!("{name}: {frame:?}: {fault}"));
        while let Some(id) = rig.accept() {
            heard.insert(id, Told::default());
        }
        for (id, told) in &mut heard {
            listen(&mut rig, *id, told);
        }
        rig.drain();
    }
    (heard, rig)
}

fn listen(rig: &mut Rig, id: u32, told: &mut Told) {
    loop {
        match rig.machine.read(rig.now, id, usize::MAX, || 0) {
            Poll::Ready(Ok(Some(bytes))) => told.bytes.extend_from_slice(&bytes),
            Poll::Ready(Ok(None)) => return told.finished = true,
            Poll::Ready(Err(StreamError::Reset(code))) => return told.reset = Some(code),
            Poll::Ready(Err(_)) | Poll::Pending => return,
        }
    }
}

/// Both sides of a transcript: no fault, the same streams, the same bytes, the same ends, and hardly any budget.
fn transcript(entry: &Entry) {
    let sides = [
        (Side::Server, &entry.initiator_frames, &entry.initiator_bytes),
        (Side::Client, &entry.responder_frames, &entry.responder_bytes),
    ];
    for (side, parsed, bytes) in sides {
        let frames: Vec<Frame> = parsed.iter().map(Parsed::frame).collect();
        if let Some(bytes) = bytes {
            assert_eq!(
                parse(unhex(bytes)),
                frames,
                "{}: our parser agrees with theirs",
                entry.name
            );
        }
        let (mut heard, rig) = play(side, &frames, &entry.name);
        let expected = told(&frames);
        heard.retain(|id, told| expected.contains_key(id) || *told != Told::default());
        assert_eq!(heard, expected, "{} {side:?}", entry.name);
        let goodbye = frames.iter().find(|frame| frame.header.kind == Kind::GoAway);
        let goodbye = goodbye.map(|frame| End::Remote(CloseCode(frame.header.length)));
        assert_eq!(rig.machine.end(), goodbye, "{}", entry.name);
        assert!(
            rig.machine.budget() >= 995,
            "{}: {} left",
            entry.name,
            rig.machine.budget()
        );
    }
    chunks(entry);
}

/// The chunks as they went over the wire, joined: the same frames again, goodbyes included.
fn chunks(entry: &Entry) {
    for (from, side) in [("initiator", Side::Server), ("responder", Side::Client)] {
        let hex: String = entry
            .chunks
            .iter()
            .filter(|c| c.from == from)
            .map(|c| c.hex.as_str())
            .collect();
        let frames = parse(unhex(&hex));
        play(side, &frames, &entry.name);
    }
}

/// A stream: its id, what it carried, whether it ended.
type Carried = (u32, &'static str, bool);

/// Our decision for each hand-made entry: the fault, or the end, or the streams; and what it cost.
fn decide(name: &str) -> (Option<End>, &'static [Carried], u64) {
    const NONE: &[Carried] = &[];
    let overrun = Fault::Overrun {
        stream: 1,
        length: 262_145,
        credit: 262_144,
    };
    let fault = |fault| (Some(End::Fault(fault)), NONE, 0);
    let goodbye = |code| (Some(End::Remote(CloseCode(code))), NONE, 0);
    match name.trim_start_matches("go/raw/") {
        "bad-version" => fault(Fault::Version(1)),
        "bad-type" => fault(Fault::Type(9)),
        "syn-even-id-from-client" => fault(Fault::Parity(2)),
        "syn-id-zero" => fault(Fault::Parity(0)),
        "syn-twice-same-id" => (Some(End::Fault(Fault::Duplicate(1))), &[(1, "", false)], 0),
        "data-above-window" => (Some(End::Fault(overrun)), &[(1, "", false)], 0),
        "data-on-unknown-stream" | "window-update-on-unknown-stream" => (None, NONE, 1),
        "syn-data-in-one-frame" => (None, &[(1, "abc", false)], 0),
        "syn-fin-in-one-frame" => (None, &[(1, "abc", true)], 0),
        "syn-rst-in-one-frame" => (None, NONE, 1),
        "ping-syn" | "ping-on-stream" | "ping-ack-unasked" => (None, NONE, 1),
        "go-away-0" => goodbye(0),
        "go-away-1" => goodbye(1),
        "go-away-2" => goodbye(2),
        "go-away-99" => goodbye(99),
        "initial-window-delta-in-syn" | "unknown-flag-bits" => (None, &[(1, "", false)], 0),
        other => panic!("no decision for {other}"),
    }
}

fn raw(entry: &Entry) {
    let mut rig = Rig::new(Side::Server);
    let _ = rig
        .machine
        .receive(rig.now, unhex(entry.initiator_bytes.as_ref().unwrap()));
    let (end, streams, cost) = decide(&entry.name);
    assert_eq!(rig.machine.end(), end, "{}", entry.name);
    let closed = entry.result.as_ref().unwrap().session_closed;
    assert_eq!(end.is_some(), closed, "{}: go-yamux decided the same", entry.name);
    for (id, bytes, finished) in streams {
        assert_eq!(rig.accept(), Some(*id));
        let read = rig.read(*id);
        if end.is_none() {
            assert_eq!(read, Ok((bytes.as_bytes().to_vec(), *finished)), "{}", entry.name);
        }
    }
    assert_eq!(rig.accept(), None, "{}", entry.name);
    assert_eq!(rig.machine.budget(), 1000 - cost, "{}", entry.name);
    // go-yamux pings at its start: everything else it answered, we answer too, but for the goodbyes of faults.
    let theirs: Vec<Frame> = entry.responder_frames.iter().map(Parsed::frame).collect();
    let answers: Vec<Frame> = theirs
        .into_iter()
        .filter(|f| *f != ping(SYN, 0) && f.header.kind != Kind::GoAway)
        .collect();
    let ours: Vec<Frame> = rig
        .drain()
        .into_iter()
        .filter(|f| f.header.kind != Kind::GoAway)
        .collect();
    assert_eq!(ours, answers, "{}", entry.name);
}

#[test]
fn every_entry_is_played() {
    let entries = entries();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &entries {
        *counts.entry(entry.kind.as_str()).or_default() += 1;
        match entry.kind.as_str() {
            "transcript" | "frames" => transcript(entry),
            "raw" => raw(entry),
            other => panic!("{}: kind {other}", entry.name),
        }
    }
    assert_eq!(counts, [("frames", 12), ("raw", 20), ("transcript", 26)].into());
    assert_eq!(entries.len(), 58);
}

#[test]
fn the_credit_in_a_syn_counts() {
    let entry = entries()
        .into_iter()
        .find(|entry| entry.name == "go/raw/initial-window-delta-in-syn")
        .unwrap();
    let mut rig = Rig::new(Side::Server);
    rig.take(parse(unhex(&entry.initiator_bytes.unwrap())));
    rig.accept();
    let mut sent = 0;
    while sent < (1 << 20) + (256 << 10) {
        let written = rig.write(1, &[0; 64 << 10]);
        assert!(written > 0, "after {sent}");
        sent += written;
        rig.drain();
    }
    assert_eq!(rig.write(1, &[0; 1]), 0);
}
