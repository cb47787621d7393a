//! Properties of the frames alone.

use std::io::IoSlice;

use proptest::prelude::*;
use sinew_core::Role;
use sinew_machine::Instant;
use sinew_websocket::machine::{FrameError, Inbound, MAX_MESSAGE, Outbound};

/// Takes bytes in pieces, and gives the content and the error that ended it.
fn receive(from: Role, bytes: &[u8], piece: usize) -> (Vec<u8>, Result<(), FrameError>) {
    let (mut inbound, mut content) = (Inbound::new(from, Instant::ZERO), Vec::new());
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        match inbound.receive(&mut piece, Instant::ZERO) {
            Ok(kept) => content.extend_from_slice(&piece[..kept]),
            Err(error) => return (content, Err(error)),
        }
    }
    (content, inbound.finish())
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_any_pieces(
        writes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
        client in any::<bool>(),
        key in any::<[u8; 4]>(),
        piece in 1usize..400,
    ) {
        let (from, mask) = if client { (Role::Dialer, Some(key)) } else { (Role::Listener, None) };
        let mut outbound = Outbound::new();
        for (at, write) in writes.iter().enumerate() {
            if at % 3 == 0 {
                outbound.pong(&write[..write.len().min(125)], mask);
            }
            let (first, second) = write.split_at(write.len() / 2);
            prop_assert_eq!(outbound.write(&[IoSlice::new(first), IoSlice::new(second)], mask), write.len());
        }
        let (content, end) = receive(from, outbound.pending(), piece);
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(content, writes.concat());
        outbound.close(mask);
        let closed = [outbound.pending(), b"and more"].concat();
        prop_assert_eq!(receive(from, &closed, piece), (writes.concat(), Ok(())));
    }

    #[test]
    fn pieces_make_no_difference(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        for from in [Role::Dialer, Role::Listener] {
            let (content, end) = receive(from, &bytes, 1);
            let (pieces, same) = receive(from, &bytes, piece);
            prop_assert_eq!(end, same);
            // Of a piece that is refused nothing counts.
            prop_assert!(content.starts_with(&pieces));
            prop_assert!(end.is_err() || content.len() == pieces.len());
        }
    }
}

#[test]
fn a_long_write_is_several_messages() {
    let text: Vec<u8> = (0..3 * MAX_MESSAGE).map(|at| (at % 251) as u8).collect();
    for (from, mask) in [(Role::Dialer, Some([9, 8, 7, 6])), (Role::Listener, None)] {
        let (mut outbound, mut sent) = (Outbound::new(), 0);
        while sent < text.len() {
            let taken = outbound.write(&[IoSlice::new(&text[sent..])], mask);
            assert_eq!(taken, MAX_MESSAGE);
            sent += taken;
        }
        for piece in [1_000, 65_536, usize::MAX] {
            assert_eq!(receive(from, outbound.pending(), piece), (text.clone(), Ok(())));
        }
    }
}

#[test]
fn of_several_pings_the_newest_is_answered() {
    let mut inbound = Inbound::new(Role::Listener, Instant::ZERO);
    let mut bytes = b"\x89\x01a\x89\x01b\x82\x01c".to_vec();
    assert_eq!(inbound.receive(&mut bytes, Instant::ZERO), Ok(1));
    assert_eq!(bytes[0], b'c');
    assert_eq!(inbound.pong().as_deref(), Some(&b"b"[..]));
    assert_eq!(inbound.pong(), None);
}
