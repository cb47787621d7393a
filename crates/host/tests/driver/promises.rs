//! One promise each.

use crate::toy::{Command, Job, MAX_FRAME, Node, PROTOCOL, frame, settled, stranger};
use bytes::Bytes;
use sinew_core::{CloseCode, Host, Stream, code};
use sinew_machine::{Effect, Failure, Input, StreamInput, StreamKey, Token};
use sinew_runtime::{now, sleep, timeout};
use std::{future::pending, time::Duration};

#[tokio::test(start_paused = true)]
async fn a_frame_arrives_and_makes_room_for_the_next() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let stream = a.open(b.peer()).await.expect("opens");
    for n in 1..4 {
        let (at, before) = (now(), b.happened().len());
        let frame = frame(b"hello");
        a.order(vec![Effect::Send { stream, frame }]).await;
        assert_eq!(a.count(&StreamInput::Writable { stream }), n);
        b.is_prompt(before, at);
    }
    assert_eq!(b.messages(), ["hello"; 3]);
    assert_eq!(b.messages().len() + 1, b.streams().len(), "one stream was opened");
}

/// A host that reads nothing, and the stream to it, for which it made no room.
async fn stuck(node: &Node) -> (Host, StreamKey) {
    let (host, opened) = stranger(node).await;
    let deaf = |stream: Stream| async move {
        pending::<()>().await;
        drop(stream);
    };
    host.set_stream_handler(PROTOCOL, deaf).expect("free");
    drop(opened);
    let stream = node.open(host.peer_id()).await.expect("opens");
    let frame = frame(&vec![0; MAX_FRAME]);
    node.order(vec![Effect::Send { stream, frame }]).await;
    assert_eq!(node.count(&StreamInput::Writable { stream }), 0);
    (host, stream)
}

#[tokio::test(start_paused = true)]
async fn a_reset_does_not_wait_for_room() {
    let node = Node::new().await;
    let (_host, stream) = stuck(&node).await;
    let code = code::stream::GARBAGE_COLLECTED;
    node.order(vec![Effect::Reset { stream, code }]).await;
    assert_eq!(node.count(&StreamInput::Closed { stream }), 1);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_for_long_loses_the_stream() {
    let node = Node::new().await;
    let (host, stream) = stuck(&node).await;
    sleep(Duration::from_secs(29)).await;
    assert_eq!(node.count(&StreamInput::Closed { stream }), 0);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(node.count(&StreamInput::Closed { stream }), 1);
    assert_eq!(node.host.peers(), [host.peer_id()], "not the connection");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_to_open_ends_once_whatever_comes_of_it() {
    let (a, b) = (Node::new().await, Node::new().await);
    assert_eq!(a.open(b.peer()).await, Err(Failure::Failed), "not connected");
    let (host, _stream) = stranger(&a).await;
    let unsupported = a.open(host.peer_id()).await;
    assert_eq!(unsupported, Err(Failure::Unsupported));
    a.connect(&b).await;
    a.open(b.peer()).await.expect("opens");
    let ends = a.streams();
    let ends = ends.iter().filter(|input| match input {
        StreamInput::Opened { token, .. } => token.is_some(),
        StreamInput::OpenFailed { .. } => true,
        _ => false,
    });
    assert_eq!(ends.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_frame_ends_its_stream_and_nothing_else() {
    let node = Node::new().await;
    let (_host, mut stream) = stranger(&node).await;
    for bytes in [&b"first"[..], b"malformed", b"not heard"] {
        stream.write_chunk(frame(bytes)).await.expect("is read");
    }
    stream.flush().await.expect("is read");
    let code = timeout(Duration::from_secs(1), stream.reset_by_peer()).await;
    assert_eq!(code, Ok(code::stream::PROTOCOL_VIOLATION));
    settled().await;
    let streams = node.streams();
    let [
        StreamInput::Opened { stream, .. },
        StreamInput::Message { message, .. },
        StreamInput::Malformed { stream: malformed },
        StreamInput::Closed { stream: closed },
    ] = &streams[..]
    else {
        panic!("{streams:?}")
    };
    assert_eq!((stream, stream, &message[..]), (malformed, closed, &b"first"[..]));
}

/// Says something over more than five streams a second, as each is reset with that code; whether the connection is cut at last.
async fn is_cut_for(say: &[u8], code: CloseCode, react: impl AsyncFn(&Node, StreamKey)) -> bool {
    let node = Node::new().await;
    let (host, mut stream) = stranger(&node).await;
    for _ in 0..250 {
        // It fails where the stream is reset before all of it was read.
        let _ = stream.write_chunk(Bytes::copy_from_slice(say)).await;
        let _ = stream.flush().await;
        sleep(Duration::from_millis(10)).await;
        if let Some(StreamInput::Message { stream, .. }) = node.streams().pop() {
            react(&node, stream).await;
        }
        if node.host.connections().is_empty() {
            return true;
        }
        assert_eq!(stream.reset_by_peer().await, code);
        stream = host.new_stream(&node.peer(), [PROTOCOL]).await.expect("opens");
    }
    false
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_what_is_no_frame_without_end_is_cut() {
    let code = code::stream::PROTOCOL_VIOLATION;
    let nothing = async |_: &Node, _| {};
    assert!(is_cut_for(&frame(b"malformed"), code, nothing).await);
    assert!(is_cut_for(&[0xff; 16], code, nothing).await, "longer than any");
}

#[tokio::test(start_paused = true)]
async fn so_is_who_is_to_blame_by_the_machine_and_no_other() {
    for (code, is_cut) in [
        (code::stream::PROTOCOL_VIOLATION, true),
        (code::stream::GARBAGE_COLLECTED, false),
    ] {
        let reset = async |node: &Node, stream| node.order(vec![Effect::Reset { stream, code }]).await;
        assert_eq!(is_cut_for(&frame(b"x"), code, reset).await, is_cut, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_ends_once_also_by_a_panic() {
    let node = Node::new().await;
    let run = |n, job| Effect::Run { token: Token(n), job };
    node.order(vec![run(1, Job::Answer), run(2, Job::Panic), run(3, Job::Never)])
        .await;
    let happened = node.happened();
    let mut ran: Vec<_> = happened
        .iter()
        .filter_map(|input| match input {
            Input::Ran { token, output } => Some((token.0, *output)),
            _ => None,
        })
        .collect();
    ran.sort_unstable();
    assert_eq!(ran, [(1, Some("answer")), (2, None)]);
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_a_connection_is_told_and_another_serves_at_once() {
    let (a, b) = (Node::new().await, Node::new().await);
    a.connect(&b).await;
    let first = a.open(b.peer()).await.expect("opens");
    a.host.disconnect(&b.peer());
    settled().await;
    assert_eq!(a.count(&StreamInput::Closed { stream: first }), 1);
    let gone = a.happened();
    let gone = gone
        .iter()
        .filter(|input| matches!(input, Input::Peer(state) if !state.connected));
    assert_eq!(gone.count(), 1);
    a.connect(&b).await;
    let second = a.open(b.peer()).await.expect("opens");
    assert!(second > first);
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_though_frames_never_end() {
    const FRAMES: usize = 10_000;
    let node = Node::new().await;
    let mut strangers = Vec::new();
    for _ in 0..4 {
        strangers.push(stranger(&node).await);
    }
    let flood = async {
        let many: Vec<u8> = (0..FRAMES).flat_map(|_| frame(b"x")).collect();
        let writes = strangers.iter_mut().map(|(_, stream)| {
            let many = many.clone();
            async move { stream.write_all(&many).await.expect("is read") }
        });
        futures_util::future::join_all(writes).await;
    };
    let calls = async {
        let mut before = 0;
        for _ in 0..20 {
            let after = node.caller.call(Command::Do(Vec::new())).await.expect("runs");
            assert!(
                after - before < FRAMES,
                "{after} after {before}: not when all is over"
            );
            before = after;
        }
    };
    tokio::join!(flood, calls);
    settled().await;
    assert_eq!(node.messages().len(), 4 * FRAMES, "and no frame is lost");
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_for_an_answer_leaves_nothing_behind() {
    let node = Node::new().await;
    for _ in 0..300 {
        let call = node.caller.call(Command::Do(Vec::new()));
        assert!(timeout(Duration::ZERO, call).await.is_err());
    }
    assert!(node.caller.call(Command::Do(Vec::new())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_end_in_the_middle_of_everything_leaves_no_task() {
    let (a, b) = (Node::that_talks().await, Node::that_talks().await);
    a.connect(&b).await;
    let (host, stream) = stranger(&a).await;
    let token = Token(1);
    let job = Job::Never;
    a.order(vec![Effect::Run { token, job }]).await;
    let within = Duration::from_secs(5);
    tokio::join!(a.host.shutdown(within), b.host.shutdown(within));
    host.shutdown(within).await;
    drop(stream);
    assert!(a.caller.call(Command::Do(Vec::new())).await.is_err());
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0);
}
