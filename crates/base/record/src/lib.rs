//! Signed envelopes, peer records, and the interface of record validators.
//!
//! Follows libp2p RFC 0002 (signed envelopes) and RFC 0003 (peer records) with the domain and payload type that go and
//! js put on the wire. An [`Envelope`] or [`PeerRecord`] in hand is one whose signature was verified: there is no other
//! way to get one from bytes.
//!
//! ```
//! use sinew_identity::Keypair;
//! use sinew_record::PeerRecord;
//!
//! let key = Keypair::generate();
//! let addr = sinew_addr::parse("/ip4/192.0.2.1/tcp/4001")?;
//! let sealed = PeerRecord::seal(&key, 1, &[addr.clone()])?;
//!
//! let record = PeerRecord::open(&sealed)?;
//! assert_eq!(record.peer(), key.public().peer_id());
//! assert_eq!(record.addrs(), [addr]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it deliberately does not do: keep records (the host's peerstore compares sequence numbers), read the clock for
//! them, or hold the validators of any namespace.

mod envelope;
mod generated;
mod peer_record;
mod validator;

pub use envelope::{Envelope, EnvelopeError, MAX_ENVELOPE};
pub use peer_record::{MAX_ADDRS, PeerRecord, PeerRecordError, SealError};
pub use validator::{InvalidRecord, RecordValidator, Validators};
