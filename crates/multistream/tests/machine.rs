//! Properties of the machines, and peers that mean harm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use sinew_machine::ProtocolId;
use sinew_multistream::machine::{
    Choice, Dialer, HEADER, ListQuery, Listener, MAX_BYTES, MAX_LIST, MAX_MESSAGE, MAX_MESSAGES, Negotiation,
    Unsendable, Violation,
};

const HEADER_BYTES: &[u8] = b"\x13/multistream/1.0.0\n";

/// Hands bytes in one by one. Returns the outcome, and how many were taken until then.
fn one_by_one<N: Negotiation>(
    machine: &mut N,
    input: &[u8],
) -> (usize, Result<Option<N::Outcome>, Violation>) {
    for (index, byte) in input.iter().enumerate() {
        match machine.receive(&[*byte]) {
            Ok((_, None)) => {}
            Ok((_, Some(outcome))) => return (index + 1, Ok(Some(outcome))),
            Err(violation) => return (index + 1, Err(violation)),
        }
    }
    (input.len(), Ok(None))
}

fn offer() -> Vec<ProtocolId> {
    vec!["/echo/1".into(), "/ipfs/ping/1.0.0".into()]
}

fn listener() -> Listener<Box<[ProtocolId]>> {
    Listener::new(offer().into())
}

/// A listener that has seen the header.
fn greeted() -> Listener<Box<[ProtocolId]>> {
    let mut listener = listener();
    listener.receive(HEADER_BYTES).unwrap();
    listener.transmit();
    listener
}

fn message(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    sinew_wire::varint::encode(text.len() as u64 + 1, &mut bytes);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\n');
    bytes
}

#[test]
fn garbage_ends_at_its_first_byte() {
    for position in 0..HEADER_BYTES.len() {
        let mut bytes = HEADER_BYTES.to_vec();
        bytes[position] ^= 0x20;
        assert_eq!(
            one_by_one(&mut listener(), &bytes),
            (position + 1, Err(Violation::Header))
        );
        assert!(listener().receive(&bytes).is_err(), "in one piece as well");
    }
    for (first, violation) in [
        (&b"\x00"[..], Violation::Length),
        (b"\x80\x00", Violation::Length),
    ] {
        assert_eq!(one_by_one(&mut greeted(), first), (first.len(), Err(violation)));
    }
    for oversized in [&b"\x81\x08"[..], b"\xff\xff\x7f"] {
        assert_eq!(
            one_by_one(&mut greeted(), oversized),
            (2, Err(Violation::TooLong)),
            "before its body"
        );
    }
    assert_eq!(
        one_by_one(&mut greeted(), b"\x08/ec\no/1\n"),
        (5, Err(Violation::Newline))
    );
    assert_eq!(
        one_by_one(&mut greeted(), b"\x03/\xff\n"),
        (4, Err(Violation::Utf8))
    );
}

#[test]
fn an_answer_that_answers_nothing_ends_at_its_first_byte() {
    let answer = |bytes: &[u8]| {
        let mut dialer = Dialer::new(vec!["/echo/1".into()]).unwrap();
        dialer.receive(HEADER_BYTES).unwrap();
        one_by_one(&mut dialer, bytes)
    };
    assert_eq!(
        answer(b"\x07/echo/\n"),
        (1, Err(Violation::Answer)),
        "the length is neither's"
    );
    assert_eq!(answer(b"\x08/fcho/1\n"), (3, Err(Violation::Answer)));
    assert_eq!(answer(b"\x03nb\n"), (3, Err(Violation::Answer)));
    assert_eq!(answer(b"\x03na\n"), (4, Ok(Some(Choice::Refused))));
    let echoed = Ok(Some(Choice::Accepted("/echo/1".into())));
    assert_eq!(answer(b"\x08/echo/1\n"), (9, echoed));
}

#[test]
fn endless_proposals_end() {
    let mut listener = listener();
    let mut bytes = HEADER_BYTES.to_vec();
    bytes.extend(message("/nope").repeat(1000));
    let (taken, end) = one_by_one(&mut listener, &bytes);
    assert_eq!(end, Err(Violation::TooManyMessages));
    assert_eq!(listener.messages(), MAX_MESSAGES);
    assert_eq!(
        taken,
        HEADER_BYTES.len() + (MAX_MESSAGES - 1) * message("/nope").len()
    );
}

#[test]
fn a_proposal_is_accepted_as_the_last_message_that_is_allowed() {
    let mut bytes = HEADER_BYTES.to_vec();
    bytes.extend(message("/nope").repeat(MAX_MESSAGES - 2));
    bytes.extend(message("/echo/1"));
    assert_eq!(one_by_one(&mut listener(), &bytes).1, Ok(Some("/echo/1".into())));
}

#[test]
fn long_proposals_end_by_their_bytes() {
    let name = format!("/{}", "x".repeat(MAX_MESSAGE - 2));
    let mut bytes = HEADER_BYTES.to_vec();
    bytes.extend(message(&name).repeat(1000));
    let (taken, end) = one_by_one(&mut listener(), &bytes);
    assert_eq!((taken, end), (MAX_BYTES + 1, Err(Violation::TooManyBytes)));
}

#[test]
fn endless_lists_end_by_their_answers() {
    let offer: Vec<ProtocolId> = (0..200)
        .map(|n| format!("/protocol/number/{n}/1.0.0").into())
        .collect();
    let mut listener = Listener::new(&offer[..]);
    let mut bytes = HEADER_BYTES.to_vec();
    bytes.extend(message("ls").repeat(1000));
    let mut said = 0;
    let end = bytes.iter().find_map(|byte| {
        let end = listener.receive(&[*byte]).err();
        said += listener.transmit().len();
        end
    });
    assert_eq!(end, Some(Violation::TooManyBytes));
    assert!(said <= MAX_BYTES + MAX_BYTES / 2, "{said} bytes were said");
}

#[test]
fn a_list_leaves_out_what_does_not_fit() {
    let offer: Vec<ProtocolId> = (0..2000)
        .map(|n| format!("/protocol/number/{n}/1.0.0").into())
        .collect();
    let mut listener = Listener::new(&offer[..]);
    let mut query = ListQuery::new();
    listener.receive(&query.transmit()).unwrap();
    let answer = listener.transmit();
    assert!(answer.len() <= HEADER_BYTES.len() + MAX_BYTES / 2);
    let (_, names) = query.receive(&answer).unwrap();
    let names = names.unwrap().unwrap();
    assert!(names.len() > 200 && offer.starts_with(&names));
}

#[test]
fn malformed_lists_are_refused() {
    for list in [
        &b"\x08/echo/1\n"[..],  // no newline at the end
        b"\x09/echo/1\n\n",     // a length beyond the end
        b"\x07/echo/1\n\n",     // a length before the newline
        b"\x00\n",              // an empty name
        b"\x88\x00/echo/1\n\n", // a length that is not minimal
        b"\x06/a\n/b\n\n",      // a name of two lines
        b"\x03na\n\n",          // a name that can never be proposed
    ] {
        let mut bytes = HEADER_BYTES.to_vec();
        sinew_wire::varint::encode(list.len() as u64, &mut bytes);
        bytes.extend_from_slice(list);
        assert_eq!(
            ListQuery::new().receive(&bytes),
            Err(Violation::List),
            "{}",
            list.escape_ascii()
        );
    }
    let mut bytes = HEADER_BYTES.to_vec();
    sinew_wire::varint::encode(MAX_LIST as u64 + 1, &mut bytes);
    assert_eq!(ListQuery::new().receive(&bytes), Err(Violation::TooLong));
}

#[test]
fn what_cannot_be_carried_is_not_proposed() {
    assert_eq!(Dialer::new(vec![]).err(), Some(Unsendable::Nothing));
    let long = format!("/{}", "x".repeat(MAX_MESSAGE - 1));
    for name in ["", "na", "ls", "echo", "/a\nb", &long] {
        assert_eq!(
            Dialer::new(vec!["/a".into(), name.into()]).err(),
            Some(Unsendable::Name(name.into()))
        );
    }
    assert_eq!(HEADER.len() + 2, HEADER_BYTES.len());
}

/// Lets two machines talk in pieces of `step` bytes until neither has more to say.
fn talk<A: Negotiation, B: Negotiation>(
    a: &mut A,
    b: &mut B,
    step: usize,
) -> (Option<A::Outcome>, Option<B::Outcome>) {
    let (mut a_end, mut b_end) = (None, None);
    loop {
        let (to_b, to_a) = (a.transmit(), b.transmit());
        if to_a.is_empty() && to_b.is_empty() {
            return (a_end, b_end);
        }
        for piece in to_b.chunks(step) {
            assert!(
                b.wanted() > 0 && b_end.is_none(),
                "nothing is said to one who has ended"
            );
            b_end = b.receive(piece).unwrap().1;
        }
        for piece in to_a.chunks(step) {
            a_end = a.receive(piece).unwrap().1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_sides_agree_on_the_first_common_protocol(
        proposed in prop::collection::vec("/[a-z]{1,3}(/[0-9]){0,90}", 1..20),
        offered in prop::collection::vec("/[a-z]{1,3}(/[0-9]){0,90}", 0..20),
        common in prop::option::of("/[a-z]{1,200}"),
        step in 1usize..64,
    ) {
        let ids = |names: &[String]| names.iter().map(|name| ProtocolId::from(name.as_str())).collect::<Vec<_>>();
        let (mut proposed, mut offered) = (ids(&proposed), ids(&offered));
        proposed.extend(common.as_deref().map(ProtocolId::from));
        offered.extend(common.as_deref().map(ProtocolId::from));
        let first = proposed.iter().find(|name| offered.contains(name)).cloned();
        let ends = talk(&mut Dialer::new(proposed).unwrap(), &mut Listener::new(&offered[..]), step);
        let choice = first.clone().map_or(Choice::Refused, Choice::Accepted);
        prop_assert_eq!(ends, (Some(choice), first));
    }

    #[test]
    fn a_list_comes_back_as_it_went(names in prop::collection::vec("/[a-z]{1,200}", 0..20), step in 1usize..64) {
        let offer: Vec<ProtocolId> = names.iter().map(|name| name.as_str().into()).collect();
        let (listed, _) = talk(&mut ListQuery::new(), &mut Listener::new(&offer[..]), step);
        prop_assert_eq!(listed, Some(Some(offer)));
    }

    #[test]
    fn whatever_comes_the_bounds_hold(
        greeted in any::<bool>(),
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                Just(message("ls")),
                Just(message("/echo/1")),
                "[a-z/]{0,30}".prop_map(|text| message(&text)),
            ],
            0..80,
        ),
    ) {
        let mut machines = (listener(), Dialer::new(offer()).unwrap(), ListQuery::new());
        let mut open = (true, true, true);
        let mut said = 0;
        let pieces = greeted.then(|| HEADER_BYTES.to_vec()).into_iter().chain(pieces);
        for piece in pieces {
            open.0 = open.0 && matches!(machines.0.receive(&piece), Ok((taken, None)) if taken == piece.len());
            open.1 = open.1 && matches!(machines.1.receive(&piece), Ok((_, None)));
            open.2 = open.2 && matches!(machines.2.receive(&piece), Ok((_, None)));
            said += machines.0.transmit().len();
        }
        prop_assert!(said <= MAX_BYTES + MAX_BYTES / 2);
        prop_assert!(machines.0.messages() <= MAX_MESSAGES);
    }

    #[test]
    fn what_is_wanted_never_lies_behind_the_end(name in "/[a-z]{1,200}", behind in prop::collection::vec(any::<u8>(), 1..9)) {
        let offer = [ProtocolId::from(name.as_str())];
        let mut listener = Listener::new(&offer[..]);
        let mut bytes = [HEADER_BYTES, &message("/nope")[..], &message(&name), &behind].concat();
        while listener.wanted() > 0 {
            let rest = bytes.split_off(listener.wanted());
            let taken = listener.receive(&bytes).unwrap().0;
            prop_assert_eq!(taken, bytes.len());
            bytes = rest;
        }
        prop_assert_eq!(bytes, behind);
    }
}
