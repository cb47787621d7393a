//! Agreeing on a muxer inside the handshake (libp2p specs, connections/inlined-muxer-negotiation.md).
//!
//! The rule is: the first of the initiator's list that the responder has too. js-libp2p's initiator takes the
//! first of the *responder's* list instead, and fails where it knows none of that. The responder's list leaves before it
//! knows anything of the initiator's: only a list of one muxer, or none, means the same by both rules. So a responder
//! that has several offers none, and the muxer is negotiated after the handshake. An initiator, who speaks last, names
//! only what it chose.

use sinew_machine::ProtocolId;

use super::HandshakeError;

/// What a responder puts into its payload.
pub(crate) fn offer(ours: &[ProtocolId]) -> &[ProtocolId] {
    if ours.len() == 1 { ours } else { &[] }
}

/// What an initiator chooses of the responder's offer. Without an offer the muxer is negotiated later.
pub(crate) fn choose(
    ours: &[ProtocolId],
    offered: &[ProtocolId],
) -> Result<Option<ProtocolId>, HandshakeError> {
    first_common(ours, offered)
}

/// What an initiator's answer to our offer means. An initiator without a list negotiates later.
pub(crate) fn chosen(
    ours: &[ProtocolId],
    theirs: &[ProtocolId],
) -> Result<Option<ProtocolId>, HandshakeError> {
    first_common(theirs, offer(ours))
}

// spec: inlined muxer negotiation, Noise: the first of the initiator's list that both sides support.
fn first_common(
    initiator: &[ProtocolId],
    responder: &[ProtocolId],
) -> Result<Option<ProtocolId>, HandshakeError> {
    if initiator.is_empty() || responder.is_empty() {
        return Ok(None);
    }
    // spec: inlined muxer negotiation, Noise: the handshake fails when the lists have nothing in common.
    let common = initiator.iter().find(|muxer| responder.contains(muxer));
    common.cloned().map(Some).ok_or(HandshakeError::NoCommonMuxer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAMUX: ProtocolId = ProtocolId::from_static("/yamux/1.0.0");
    const MPLEX: ProtocolId = ProtocolId::from_static("/mplex/6.7.0");

    #[test]
    fn the_initiators_order_decides() {
        assert_eq!(choose(&[YAMUX, MPLEX], &[MPLEX, YAMUX]).unwrap(), Some(YAMUX));
        assert_eq!(choose(&[YAMUX, MPLEX], &[MPLEX]).unwrap(), Some(MPLEX));
        assert_eq!(chosen(&[YAMUX], &[MPLEX, YAMUX]).unwrap(), Some(YAMUX));
    }

    #[test]
    fn a_responder_that_has_several_leaves_it_to_later() {
        assert_eq!(offer(&[YAMUX]), [YAMUX]);
        assert!(offer(&[YAMUX, MPLEX]).is_empty());
        for theirs in [&[MPLEX][..], &[YAMUX], &[MPLEX, YAMUX]] {
            assert_eq!(chosen(&[YAMUX, MPLEX], theirs).unwrap(), None);
        }
    }

    #[test]
    fn no_list_on_either_side_leaves_it_to_later_and_nothing_in_common_is_refused() {
        assert_eq!(choose(&[YAMUX], &[]).unwrap(), None);
        assert_eq!(choose(&[], &[YAMUX]).unwrap(), None);
        assert_eq!(chosen(&[YAMUX], &[]).unwrap(), None);
        assert!(matches!(
            choose(&[YAMUX], &[MPLEX]),
            Err(HandshakeError::NoCommonMuxer)
        ));
        assert!(matches!(
            chosen(&[YAMUX], &[MPLEX]),
            Err(HandshakeError::NoCommonMuxer)
        ));
    }
}
