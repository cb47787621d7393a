//! Effects and the clock: each effect, in order, and all at once.

use crate::toy::{Command, Job, MAX_FRAME, Node, frame, settled, stranger};
use bytes::Bytes;
use sinew_core::code;
use sinew_machine::{Effect, Input, Instant, StreamInput, Token};
use sinew_runtime::{now, sleep};
use std::time::Duration;

/// Longer than the windows of streams and what a connection takes at once, so that the rest waits.
#[tokio::test(start_paused = true)]
async fn a_frame_that_does_not_fit_in_leaves_as_there_is_room() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let stream = a.open(b.peer()).await.expect("opens");
    let long = Bytes::from_iter((0..MAX_FRAME).map(|n| (n % 251) as u8));
    for bytes in [&long[..], b"short", &long] {
        let (at, before) = (now(), b.happened().len());
        let frame = frame(bytes);
        a.order(vec![Effect::Send { stream, frame }]).await;
        b.is_prompt(before, at);
    }
    assert_eq!(a.count(&StreamInput::Writable { stream }), 3);
    assert_eq!(b.messages(), [&long[..], b"short", &long], "as they were sent");
}

#[tokio::test(start_paused = true)]
async fn effects_are_carried_out_in_their_order_and_none_is_lost() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let stream = a.open(b.peer()).await.expect("opens");
    let (before, frame, job) = (a.happened().len(), frame(b"hello"), Job::Short);
    let code = code::stream::GARBAGE_COLLECTED;
    a.order(vec![
        Effect::Emit("first"),
        Effect::Send { stream, frame },
        Effect::Emit("second"),
        Effect::Run { token: Token(7), job },
        Effect::Emit("third"),
        Effect::Reset { stream, code },
        Effect::Emit("last"),
    ])
    .await;
    let news = a.news.lock().expect("nobody panics").clone();
    let after_the_call = before + 1;
    assert_eq!(
        news,
        [
            ("first", after_the_call),
            ("second", after_the_call + 1),
            ("third", after_the_call + 2),
            ("last", after_the_call + 2)
        ]
    );
    let ran = Input::Ran {
        token: Token(7),
        output: Some("short"),
    };
    let written = Input::Stream(StreamInput::Writable { stream });
    let ended = Input::Stream(StreamInput::Closed { stream });
    assert_eq!(a.happened()[after_the_call..], [written, ran, ended]);
}

#[tokio::test(start_paused = true)]
async fn an_inbound_stream_is_reset_when_it_is_told() {
    let node = Node::new().await;
    let (_host, mut stream) = stranger(&node).await;
    stream.write_chunk(frame(b"first")).await.expect("is read");
    settled().await;
    let code = code::stream::RATE_LIMITED;
    let [StreamInput::Opened { stream: key, .. }, _] = node.streams()[..] else {
        panic!("{:?}", node.streams())
    };
    node.order(vec![Effect::Reset { stream: key, code }]).await;
    assert_eq!(stream.reset_by_peer().await, code);
    assert_eq!(node.count(&StreamInput::Closed { stream: key }), 1);
    assert_eq!(node.messages(), ["first"]);
}

/// When the deadline came.
fn timeouts(node: &Node) -> Vec<Instant> {
    let log = node.log.lock().expect("nobody panics");
    let timeouts = log.iter().filter(|(_, input)| *input == Input::Timeout);
    timeouts.map(|(at, _)| *at).collect()
}

#[tokio::test(start_paused = true)]
async fn the_time_comes_at_the_newest_deadline_and_once() {
    let node = Node::new().await;
    let start = now();
    let after = |secs| start + Duration::from_secs(secs);
    for due in [after(60), after(5), after(10)] {
        node.caller.call(Command::Due(Some(due))).await.expect("runs");
    }
    sleep(Duration::from_secs(30)).await;
    assert_eq!(timeouts(&node), [after(10)]);
    node.caller
        .call(Command::Due(Some(after(40))))
        .await
        .expect("runs");
    node.caller.call(Command::Due(None)).await.expect("runs");
    sleep(Duration::from_secs(30)).await;
    node.caller
        .call(Command::Due(Some(after(1))))
        .await
        .expect("runs");
    sleep(Duration::from_secs(30)).await;
    assert_eq!(
        timeouts(&node),
        [after(10), after(60)],
        "one that is over has come at once"
    );
}
