//! Envelopes and peer records of `sinew-record`.

use sinew_record::{Envelope, MAX_ADDRS, PeerRecord};

use crate::identity::fixed_key;

/// The domain of the vectors, so that they open.
const DOMAIN: &str = "libp2p-testing";

/// What was opened can be opened after it was made again by a signer of ours; and nothing opens for another domain.
pub(crate) fn envelope(data: &[u8]) {
    if let Ok(envelope) = Envelope::open(data, DOMAIN) {
        assert!(Envelope::open(data, "another").is_err());
        assert_eq!(envelope.peer(), envelope.key().peer_id());
    }
    let (payload_type, payload) = data.split_at(data.len() / 2);
    let sealed = Envelope::seal(fixed_key(), DOMAIN, payload_type, payload).expect("a key of this process");
    match Envelope::open(&sealed, DOMAIN) {
        Ok(envelope) => assert_eq!(
            (envelope.payload_type(), envelope.payload()),
            (payload_type, payload)
        ),
        Err(_) => assert!(sealed.len() > sinew_record::MAX_ENVELOPE),
    }
}

/// The bytes as an envelope, and as the payload of one that is signed: a signature is no leave to break the decoder.
pub(crate) fn peer_record(data: &[u8]) {
    let sealed = Envelope::seal(fixed_key(), PeerRecord::DOMAIN, PeerRecord::PAYLOAD_TYPE, data)
        .expect("a key of this process");
    for bytes in [data, &sealed] {
        let Ok(record) = PeerRecord::open(bytes) else {
            continue;
        };
        assert!(record.addrs().len() <= MAX_ADDRS);
        let Ok(again) = PeerRecord::seal(fixed_key(), record.seq(), record.addrs()) else {
            continue;
        };
        let again = PeerRecord::open(&again).expect("a record that was just made");
        assert_eq!((again.seq(), again.addrs()), (record.seq(), record.addrs()));
    }
}
