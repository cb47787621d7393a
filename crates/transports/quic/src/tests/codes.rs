//! Why streams and connections end, told to the other side as it was said.

use std::{future::poll_fn, io, time::Duration};

use bytes::Bytes;
use sinew_core::{CloseCode, CloseReason, MuxError, StreamAbandoned, StreamClosed, StreamReset, code};
use sinew_runtime::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rig::{Pair, Stream};
use crate::Config;

const LATENCY: Duration = Duration::from_millis(1);

async fn pair() -> Pair {
    Pair::new(Config::default(), LATENCY).await
}

pub(crate) fn reset_code(error: &io::Error) -> Option<CloseCode> {
    let reset = error.get_ref()?.downcast_ref::<StreamReset>()?;
    Some(reset.0)
}

fn closed_inside(error: &io::Error) -> bool {
    let inside = error
        .get_ref()
        .and_then(|inside| inside.downcast_ref::<StreamClosed>());
    inside.is_some()
}

/// The error of a read that does not succeed.
async fn read_error(stream: &mut Stream) -> io::Error {
    stream.read(&mut [0; 8]).await.expect_err("it is over")
}

async fn write_error(stream: &mut Stream) -> io::Error {
    loop {
        if let Err(error) = stream.write(b"x").await {
            return error;
        }
        sinew_runtime::sleep(LATENCY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn codes_of_streams_arrive_in_both_directions() {
    for code in [
        code::stream::RESOURCE_LIMIT,
        code::stream::SHUTDOWN,
        CloseCode(u32::MAX),
    ] {
        let mut pair = pair().await;
        let (mut ours, mut theirs) = pair.stream().await;
        ours.reset(code);
        ours.reset(CloseCode(1));
        let error = read_error(&mut theirs).await;
        assert_eq!(
            (error.kind(), reset_code(&error)),
            (io::ErrorKind::ConnectionReset, Some(code))
        );
        // It is as over as it was, and so is the other direction.
        assert_eq!(reset_code(&read_error(&mut theirs).await), Some(code));
        assert_eq!(reset_code(&write_error(&mut theirs).await), Some(code));
        assert_eq!(poll_fn(|cx| theirs.poll_reset(cx)).await, code);
        let (mut ours, mut theirs) = pair.stream().await;
        theirs.reset(code);
        assert_eq!(poll_fn(|cx| ours.poll_reset(cx)).await, code);
        assert_eq!(reset_code(&write_error(&mut ours).await), Some(code));
        let own = read_error(&mut theirs).await;
        let abandoned = own
            .get_ref()
            .and_then(|error| error.downcast_ref::<StreamAbandoned>());
        assert_eq!(abandoned, Some(&StreamAbandoned(code)));
    }
}

#[tokio::test(start_paused = true)]
async fn refused_input_stops_the_writer_and_not_the_answer() {
    let mut pair = pair().await;
    let (mut ours, mut theirs) = pair.stream().await;
    theirs.stop(code::stream::RATE_LIMITED);
    assert_eq!(
        reset_code(&write_error(&mut ours).await),
        Some(code::stream::RATE_LIMITED)
    );
    assert_eq!(theirs.read(&mut [0; 8]).await.expect("nothing more"), 0);
    theirs.write_all(b"answer").await.expect("written");
    theirs.shutdown().await.expect("finished");
    let mut answer = Vec::new();
    ours.read_to_end(&mut answer).await.expect("read");
    assert_eq!(answer, b"answer");
}

#[tokio::test(start_paused = true)]
async fn codes_of_connections_arrive_in_both_directions() {
    for by_dialer in [true, false] {
        let mut pair = pair().await;
        let (mut ours, mut theirs) = pair.stream().await;
        let (first, second) = if by_dialer {
            (&mut pair.ours.muxed, &mut pair.theirs.muxed)
        } else {
            (&mut pair.theirs.muxed, &mut pair.ours.muxed)
        };
        first.handle.close(code::connection::GARBAGE_COLLECTED);
        first.handle.close(CloseCode(1));
        let refused = first.handle.open().await.err().expect("it is closing");
        assert!(
            matches!(
                refused,
                MuxError::Closed(CloseReason::Local(code::connection::GARBAGE_COLLECTED))
            ),
            "{refused}"
        );
        let (local, remote) = tokio::join!(&mut first.driver, &mut second.driver);
        assert!(
            matches!(local, CloseReason::Local(code::connection::GARBAGE_COLLECTED)),
            "{local}"
        );
        assert!(
            matches!(remote, CloseReason::Remote(code::connection::GARBAGE_COLLECTED)),
            "{remote}"
        );
        for stream in [&mut ours, &mut theirs] {
            let error = read_error(stream).await;
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
            assert!(closed_inside(&error), "{error:?}");
            let told = poll_fn(|cx| stream.poll_reset(cx)).await;
            assert_eq!(told, code::connection::GARBAGE_COLLECTED);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_finished_arrives_before_the_goodbye() {
    let mut pair = Pair::new(Config::default(), Duration::from_millis(20)).await;
    let (mut ours, mut theirs) = pair.stream().await;
    ours.write_all(&[7; 200_000]).await.expect("written");
    ours.shutdown().await.expect("finished");
    drop(ours);
    pair.ours.muxed.handle.close(CloseCode::NONE);
    let reading = async {
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.map(|_| all)
    };
    let (_, all) = tokio::join!(pair.ours.muxed.driver, reading);
    assert_eq!(all.expect("read").len(), 200_000);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_waits_for_nobody_who_does_not_answer() {
    let mut pair = pair().await;
    let (mut ours, _theirs) = pair.stream().await;
    ours.shutdown().await.expect("finished");
    pair.network.deafen([192, 0, 2, 1].into());
    pair.ours.muxed.handle.close(CloseCode::NONE);
    let ended = timeout(Duration::from_secs(1), pair.ours.muxed.driver).await;
    assert!(
        matches!(ended, Ok(CloseReason::Local(CloseCode::NONE))),
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn every_ping_on_one_inbound_stream_is_answered() {
    let mut pair = pair().await;
    let (mut ours, mut theirs) = pair.stream().await;
    let answering = async {
        for _ in 0..20 {
            let mut ping = [0; 32];
            theirs.read_exact(&mut ping).await.expect("read");
            theirs.write_all(&ping).await.expect("written");
        }
    };
    let asking = async {
        for number in 0..20 {
            ours.write_all(&[number; 32]).await.expect("written");
            let mut pong = [0; 32];
            let answered = timeout(Duration::from_secs(1), ours.read_exact(&mut pong)).await;
            answered.expect("in time").expect("read");
            assert_eq!(pong, [number; 32]);
        }
    };
    tokio::join!(asking, answering);
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_lost_after_the_idle_time_and_a_living_one_is_not() {
    let pair = pair().await;
    let (mut ours, mut theirs) = (pair.ours.muxed.driver, pair.theirs.muxed.driver);
    let both = async {
        tokio::select! { reason = &mut ours => reason, reason = &mut theirs => reason }
    };
    let ended = timeout(Duration::from_secs(600), both).await;
    assert!(ended.is_err(), "signs of life keep it: {ended:?}");
    pair.network.deafen([192, 0, 2, 1].into());
    let (ours, theirs) = tokio::join!(
        timeout(Duration::from_secs(61), ours),
        timeout(Duration::from_secs(61), theirs)
    );
    for ended in [ours, theirs] {
        assert!(matches!(ended, Ok(CloseReason::TimedOut(_))), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_are_taken_and_given_without_copies() {
    let mut pair = pair().await;
    let (mut ours, mut theirs) = pair.stream().await;
    let mut chunk = Bytes::from_static(&[9; 1000]);
    poll_fn(|cx| ours.poll_write_chunk(cx, &mut chunk))
        .await
        .expect("written");
    assert!(chunk.is_empty(), "there is room for all of it");
    let read = poll_fn(|cx| theirs.poll_chunk(cx, 400))
        .await
        .expect("read")
        .expect("not the end");
    assert_eq!(read, [9; 400][..]);
    let nothing = poll_fn(|cx| theirs.poll_chunk(cx, 0)).await.expect("read");
    assert_eq!(nothing, Some(Bytes::new()), "which is not the end");
}
