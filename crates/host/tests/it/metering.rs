//! What a meter is told of: everything, once.

use crate::rig::{ask, builder, echo, listening, started};
use sinew_core::{
    AttemptError, CloseReason, ConnectionInfo, DialOptions, Direction, Meter, ProtocolId, Traffic,
    UpgradeError,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Writes down what it is told, and counts the bytes of all streams together.
#[derive(Clone, Default, Debug)]
struct Ledger {
    lines: Arc<Mutex<Vec<String>>>,
    traffic: Arc<Traffic>,
}

impl Ledger {
    fn note(&self, line: String) {
        self.lines.lock().expect("no writer panics").push(line);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().expect("no writer panics"))
    }
}

impl Meter for Ledger {
    fn attempted(&self, transport: &'static str, _: Duration, outcome: Result<(), &AttemptError>) {
        self.note(format!("attempted {transport} {}", outcome.is_ok()));
    }

    fn accepted(&self, transport: &'static str, _: Duration, outcome: Result<(), &UpgradeError>) {
        self.note(format!("accepted {transport} {}", outcome.is_ok()));
    }

    fn connection_opened(&self, connection: &ConnectionInfo) {
        self.note(format!("opened {}", connection.direction));
    }

    fn connection_closed(&self, connection: &ConnectionInfo, _: &CloseReason) {
        self.note(format!("closed {}", connection.direction));
    }

    fn stream_opened(
        &self,
        _: &ConnectionInfo,
        direction: Direction,
        protocol: &ProtocolId,
    ) -> Option<Arc<Traffic>> {
        self.note(format!("stream {direction} {protocol}"));
        Some(self.traffic.clone())
    }

    fn stream_closed(&self, direction: Direction, protocol: &ProtocolId) {
        self.note(format!("ended {direction} {protocol}"));
    }
}

#[tokio::test(start_paused = true)]
async fn both_ends_count_connections_streams_and_bytes() {
    let (ours, theirs) = (Ledger::default(), Ledger::default());
    let (server, addr) = listening(builder().meter(theirs.clone())).await;
    server
        .set_stream_handler_match("/echo", |name: &str| name.starts_with("/echo/"), echo)
        .expect("free");
    let client = started(builder().meter(ours.clone())).await;
    let peer = client.connect(addr).await.expect("connects");
    let stream = client.new_stream(&peer, ["/echo/made-up"]).await.expect("opens");
    assert_eq!(ask(stream, &[7; 1000]).await.expect("answers"), [7; 1000]);
    client.shutdown(Duration::from_secs(1)).await;
    server.shutdown(Duration::from_secs(1)).await;
    assert_eq!(
        ours.taken(),
        [
            "opened outbound",
            "attempted memory true",
            "stream outbound /echo/made-up",
            "ended outbound /echo/made-up",
            "closed outbound"
        ]
    );
    assert_eq!(
        theirs.taken(),
        [
            "opened inbound",
            "accepted memory true",
            "stream inbound /echo",
            "ended inbound /echo",
            "closed inbound"
        ],
        "an inbound stream is counted under the name of its handler, not under one that a stranger chose"
    );
    for traffic in [ours.traffic, theirs.traffic] {
        assert_eq!(
            (traffic.read(), traffic.written()),
            (1000, 1000),
            "without the negotiation"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_counted_too() {
    let ledger = Ledger::default();
    let client = started(builder().meter(ledger.clone())).await;
    let nobody: sinew_core::Multiaddr = "/memory/987654321".parse().expect("an address");
    client
        .dial(nobody, DialOptions::default())
        .await
        .expect_err("nobody listens");
    assert_eq!(ledger.taken(), ["attempted memory false"]);
    client.shutdown(Duration::ZERO).await;
}
