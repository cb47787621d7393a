//! The message of `sinew-identify`, and what is believed of it.

use sinew_identify::{
    Extent, Info, MAX_ADDRS, MAX_PROTOCOLS, MAX_SENT_WHOLE, Message, MessageError, Reading,
};
use sinew_machine::ConnectionId;

use crate::identity::fixed_key;

/// The pieces in which bytes arrive make no difference, lists are bounded, what was read can be written again, and whatever
/// it says can be checked. The first byte chooses the size of a piece.
pub(crate) fn message(data: &[u8]) {
    let piece = data.first().map_or(1, |byte| usize::from(*byte).max(1));
    let whole = Message::decode(data);
    assert_eq!(decode_pieces(data, piece), whole);
    let Ok(message) = whole else { return };
    assert!(message.protocols.len() <= MAX_PROTOCOLS && message.listen_addrs.len() <= MAX_ADDRS);
    let encoded = message.encode();
    // Of a longer one what no reader would take is left out.
    if data.len() <= MAX_SENT_WHOLE {
        assert_eq!(Message::decode(&encoded).as_ref(), Ok(&message));
    }
    for extent in [Extent::Whole, Extent::Changes] {
        believe(message.clone(), extent);
    }
}

fn decode_pieces(data: &[u8], piece: usize) -> Result<Message, MessageError> {
    let mut reading = Reading::default();
    data.chunks(piece).try_for_each(|chunk| reading.receive(chunk))?;
    reading.finish()
}

fn believe(message: Message, extent: Extent) {
    let Ok(info) = Info::check(message, &fixed_key().public().clone(), ConnectionId(1), extent) else {
        return;
    };
    // Our own id is taken off the end; nobody else's is left there.
    assert!(
        info.listen_addrs
            .iter()
            .all(|addr| sinew_addr::peer(addr).is_none())
    );
    assert!(info.addrs().len() <= MAX_ADDRS);
}
