//! Who says much does not hold up who says little.

use crate::toy::{Node, frame, settled, stranger};

/// Frames, short ones, that one stream may have before the machine.
const AHEAD: usize = 64;

#[tokio::test(start_paused = true)]
async fn a_flood_has_a_share_of_the_inbox_and_no_more() {
    let node = Node::new().await;
    let ((_one, mut loud), (_other, mut quiet)) = (stranger(&node).await, stranger(&node).await);
    // All of it comes at once, and a frame of the other right behind it.
    let many: Vec<u8> = (0..1000).flat_map(|_| frame(b"x")).collect();
    loud.write_all(&many).await.expect("is read");
    quiet.write_all(&frame(b"y")).await.expect("is read");
    let (first, second) = tokio::join!(loud.flush(), quiet.flush());
    first.and(second).expect("is read");
    settled().await;
    let messages = node.messages();
    let place = messages.iter().position(|message| message == "y");
    assert_eq!(
        (messages.len(), place.is_some_and(|place| place <= 2 * AHEAD)),
        (1001, true),
        "{place:?}"
    );
}
