//! Address forms and frames of `sinew-websocket`.

use std::io::IoSlice;

use sinew_addr::{Transport, decode, transport};
use sinew_core::Role;
use sinew_machine::Instant;
use sinew_websocket::{
    Security, WsAddr,
    machine::{FrameError, Inbound, MAX_CONTROL, Outbound},
};

/// An address that is read says the same when it is written and read again, and nothing in it breaks out of the line of
/// the HTTP request that it goes into.
pub(crate) fn addr(data: &[u8]) {
    let Ok(addr) = decode(data) else { return };
    let Some(read) = WsAddr::read(&addr) else { return };
    assert_eq!(WsAddr::read(&read.addr()).as_ref(), Some(&read));
    let kind = match read.security {
        Security::Plain => Transport::WebSocket,
        Security::Tls(_) => Transport::SecureWebSocket,
    };
    assert_eq!(transport(&addr), Some(kind));
    let (target, host) = (read.target(), read.host());
    assert!(target.starts_with('/') && !host.is_empty());
    assert!((target + &host).bytes().all(|byte| byte.is_ascii_graphic()));
    let end = WsAddr::read(&read.end_at(read.socket)).expect("an address of ours");
    assert_eq!((end.socket, end.path), (read.socket, None));
}

/// The pieces in which frames arrive make no difference, content is never more than was sent, and what is content can be
/// sent again. The first byte chooses our side and the size of a piece.
pub(crate) fn frames(data: &[u8]) {
    let [first, stream @ ..] = data else { return };
    let from = [Role::Dialer, Role::Listener][usize::from(first & 1)];
    let piece = usize::from(first >> 1).max(1);
    let (content, end) = receive(from, stream, 1);
    let (pieces, same) = receive(from, stream, piece);
    assert_eq!(end, same);
    // Of a piece that is refused nothing counts.
    assert!(content.starts_with(&pieces) && content.len() <= stream.len());
    assert!(end.is_err() || content.len() == pieces.len());
    let mask = (from == Role::Dialer).then_some([*first; 4]);
    let mut outbound = Outbound::new();
    assert_eq!(outbound.write(&[IoSlice::new(&content)], mask), content.len());
    assert_eq!(receive(from, outbound.pending(), piece), (content, Ok(())));
}

fn receive(from: Role, stream: &[u8], piece: usize) -> (Vec<u8>, Result<(), FrameError>) {
    let (mut inbound, mut content) = (Inbound::new(from, Instant::ZERO), Vec::new());
    for piece in stream.chunks(piece) {
        let mut piece = piece.to_vec();
        match inbound.receive(&mut piece, Instant::ZERO) {
            Ok(kept) => content.extend_from_slice(&piece[..kept]),
            Err(error) => return (content, Err(error)),
        }
        assert!(inbound.pong().is_none_or(|pong| pong.len() <= MAX_CONTROL));
    }
    (content, inbound.finish())
}
