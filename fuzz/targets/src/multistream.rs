//! The negotiations of `sinew-multistream`.

use sinew_machine::ProtocolId;
use sinew_multistream::machine::{Dialer, ListQuery, Listener, MAX_BYTES, Negotiation};

/// On either side the pieces in which bytes arrive make no difference, nothing behind the end is taken, and what is
/// answered is bounded. The first byte chooses the size of a piece.
pub(crate) fn negotiations(data: &[u8]) {
    let [piece, stream @ ..] = data else { return };
    let offer = ["/echo/1", "/ipfs/ping/1.0.0"].map(ProtocolId::from_static);
    let dialer = || Dialer::new(vec!["/nope/1".into(), "/echo/1".into()]).expect("names that can be sent");
    let piece = usize::from(*piece).max(1);
    compare(
        [Listener::new(&offer[..]), Listener::new(&offer[..])],
        stream,
        piece,
    );
    compare([dialer(), dialer()], stream, piece);
    compare([ListQuery::new(), ListQuery::new()], stream, piece);
}

fn compare<N: Negotiation<Outcome: PartialEq>>([mut whole, mut pieces]: [N; 2], stream: &[u8], piece: usize) {
    let (whole, pieces) = (
        run(&mut whole, stream, usize::MAX),
        run(&mut pieces, stream, piece),
    );
    assert!(whole == pieces, "pieces make a difference");
    assert!(whole.said.len() < 2 * MAX_BYTES);
}

#[derive(PartialEq)]
struct End<T> {
    outcome: Option<Option<T>>,
    taken: usize,
    said: Vec<u8>,
}

fn run<N: Negotiation>(machine: &mut N, stream: &[u8], piece: usize) -> End<N::Outcome> {
    let mut end = End {
        outcome: None,
        taken: 0,
        said: machine.transmit().to_vec(),
    };
    for piece in stream.chunks(piece) {
        let result = machine.receive(piece);
        end.said.extend_from_slice(&machine.transmit());
        match result {
            Ok((taken, None)) => {
                assert_eq!(taken, piece.len(), "an open negotiation takes all it is given");
                end.taken += taken;
            }
            Ok((taken, outcome)) => {
                assert_eq!(machine.wanted(), 0, "nothing is wanted behind the end");
                end.taken += taken;
                end.outcome = Some(outcome);
                break;
            }
            Err(_) => {
                // Where it is refused, how far it was read depends on the pieces.
                end.taken = 0;
                end.outcome = Some(None);
                break;
            }
        }
    }
    end
}
