//! A peer that never comes to the point: what it is borne, and what it makes us hold.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::io::IoSlice;

use rustls::{
    ConnectionTrafficSecrets,
    crypto::cipher::{AeadKey, Iv},
};
use sinew_wire::Gather;

use super::*;
use crate::record::Sealing;

const TICKET: [u8; 204] = {
    let mut ticket = [7; 204];
    (ticket[0], ticket[1], ticket[2], ticket[3]) = (NEW_SESSION_TICKET, 0, 0, 200);
    ticket
};

const UPDATE: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 1];

/// More than any message that is kept, however it grew.
const A_READ: usize = 64 * 1024;

fn secrets() -> Secrets {
    let (key, iv) = (AeadKey::from([1; 32]), Iv::from([2; 12]));
    (0, ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv })
}

/// What a peer sends, and our end of it.
struct Rig {
    peer: Sealing,
    ours: Inbound,
}

impl Rig {
    fn new() -> Self {
        let suites = sinew_crypto::tls::provider().cipher_suites.clone();
        let mut suites = suites.iter().filter_map(rustls::SupportedCipherSuite::tls13);
        let chacha = rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
        let suite = suites.find(|suite| suite.common.suite == chacha).unwrap();
        Self {
            peer: Sealing::new(suite, secrets()),
            ours: Inbound::new(Opening::new(secrets()), Buffer::new()),
        }
    }

    /// One record arrives, and all that is there is opened and taken.
    fn send(&mut self, kind: ContentType, content: &[u8]) -> Result<Received, RecordError> {
        let slices = [IoSlice::new(content)];
        let mut text = Gather::new(&slices);
        self.peer.seal(kind, &mut text, content.len(), self.ours.room());
        let received = loop {
            match self.ours.next(&mut [0; 100]) {
                Ok(Received::Text(_)) => {}
                Ok(Received::KeyUpdate { .. }) => {
                    self.peer.replace(secrets());
                    self.ours.replace_keys(secrets());
                }
                other => break other,
            }
        };
        let held = self.ours.buffer.unread().len() + self.ours.message.capacity();
        assert!(held < A_READ, "{held} bytes are held");
        received
    }

    /// Sends records of one kind without end; how many were borne, and what came then.
    fn flood(&mut self, kind: ContentType, content: &[u8]) -> (u32, RecordError) {
        (0..)
            .find_map(|sent| Some((sent, self.send(kind, content).err()?)))
            .unwrap()
    }
}

#[test]
fn a_flood_without_text_is_cut() {
    let user_canceled = [1, AlertDescription::UserCanceled.into()];
    for (kind, content) in [
        (ContentType::ApplicationData, &[][..]),
        (ContentType::Handshake, &TICKET),
        (ContentType::Handshake, &UPDATE),
        (ContentType::Alert, &user_canceled),
    ] {
        let flood = Rig::new().flood(kind, content);
        assert_eq!(flood, (PATIENCE, RecordError::Flood), "{kind:?}");
    }
}

/// Text pays for what comes beside it, and however much that is, nothing stays.
#[test]
fn tickets_and_updates_beside_text_leave_nothing_behind() {
    let mut rig = Rig::new();
    for _ in 0..20_000 {
        for part in TICKET.chunks(70).chain([&UPDATE[..]]) {
            assert_eq!(rig.send(ContentType::Handshake, part), Ok(Received::Nothing));
        }
        let text = [9; 4 * TEXT_A_RECORD];
        assert_eq!(
            rig.send(ContentType::ApplicationData, &text),
            Ok(Received::Nothing)
        );
        assert_eq!(rig.ours.message.capacity(), 0);
    }
    rig.ours.rest();
    assert!(rig.ours.buffer.unread().is_empty());
}

/// A record may be full of tickets: then it is the record that counts.
#[test]
fn records_full_of_tickets_are_stepped_over() {
    let full = TICKET.repeat(80);
    assert_eq!(
        Rig::new().flood(ContentType::Handshake, &full),
        (PATIENCE, RecordError::Flood)
    );
}

/// What is announced is not believed: a message grows with what came, to no more than the longest.
#[test]
fn a_message_that_never_ends_is_cut() {
    let [high, low] = u16::try_from(MAX_MESSAGE - 4).unwrap().to_be_bytes();
    let mut rig = Rig::new();
    assert_eq!(
        rig.send(ContentType::Handshake, &[NEW_SESSION_TICKET, 0, high, low]),
        Ok(Received::Nothing)
    );
    assert_eq!(
        rig.flood(ContentType::Handshake, &[0]),
        (PATIENCE - 1, RecordError::Flood)
    );
    let [high, low] = u16::try_from(MAX_MESSAGE - 3).unwrap().to_be_bytes();
    assert_eq!(
        Rig::new().send(ContentType::Handshake, &[NEW_SESSION_TICKET, 0, high, low]),
        Err(RecordError::Message(NEW_SESSION_TICKET))
    );
}

/// Updates that are cut up, that ask for nonsense, or that have something behind them under the old keys.
#[test]
fn updates_that_break_a_rule_are_refused() {
    for content in [
        &[KEY_UPDATE, 0, 0, 1, 2][..],
        &[KEY_UPDATE, 0, 0, 0],
        &[KEY_UPDATE, 0, 0, 1, 0, NEW_SESSION_TICKET],
        &[1, 0, 0, 0],
    ] {
        let refused = Rig::new().send(ContentType::Handshake, content);
        assert_eq!(refused, Err(RecordError::Message(content[0])));
    }
    let mut rig = Rig::new();
    assert_eq!(
        rig.send(ContentType::Handshake, &UPDATE[..3]),
        Ok(Received::Nothing)
    );
    assert_eq!(
        rig.send(ContentType::ApplicationData, b"text"),
        Err(RecordError::Message(KEY_UPDATE))
    );
}
