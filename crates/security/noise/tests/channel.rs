//! The transport phase over pipes of any size: what is written is what is read, in any pieces.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::{
    future::poll_fn,
    io::{ErrorKind, IoSlice},
    pin::Pin,
    sync::LazyLock,
    task::Poll,
};

use proptest::prelude::*;
use sinew_core::{BoxedIo, Role, SecureRequest, SecureUpgrade};
use sinew_identity::Keypair;
use sinew_machine::ProtocolId;
use sinew_noise::{Noise, PROTOCOL};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};

static KEYS: LazyLock<[Keypair; 2]> = LazyLock::new(|| [Keypair::generate(), Keypair::generate()]);

/// Two ends over a pipe that holds `pipe` bytes in each direction.
async fn pair(pipe: usize) -> (BoxedIo, BoxedIo) {
    let [dialer, listener] = &*KEYS;
    let (here, there) = duplex(pipe);
    let yamux = || vec![ProtocolId::from_static("/yamux/1.0.0")];
    let dial = SecureRequest::new(Role::Dialer, Some(listener.peer_id()), yamux());
    let accept = SecureRequest::new(Role::Listener, None, yamux());
    let (dialing, listening) = (Noise::new(dialer).unwrap(), Noise::new(listener).unwrap());
    let (dialed, accepted) = tokio::try_join!(
        dialing.secure(Box::new(here), dial),
        listening.secure(Box::new(there), accept)
    )
    .unwrap();
    assert_eq!(
        (dialed.peer, accepted.peer),
        (listener.peer_id(), dialer.peer_id())
    );
    assert_eq!(
        (dialed.key.peer_id(), accepted.key.peer_id()),
        (dialed.peer, accepted.peer)
    );
    assert_eq!((dialed.muxer, accepted.muxer), (yamux().pop(), yamux().pop()));
    (dialed.io, accepted.io)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Bytes that are not the same anywhere within 64 KiB.
fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| index.wrapping_mul(0x9e37_79b1).to_le_bytes()[3])
        .collect()
}

async fn write_vectored(io: &mut (impl AsyncWrite + Unpin), slices: &[IoSlice<'_>]) -> usize {
    poll_fn(|cx| Pin::new(&mut *io).poll_write_vectored(cx, slices))
        .await
        .unwrap()
}

/// One write of the sender: the sizes of its slices, and whether a flush follows.
type Write = (Vec<usize>, bool);

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let size = prop_oneof![4 => 0..40_usize, 2 => 0..3_000_usize, 1 => 60_000..140_000_usize];
    prop::collection::vec((prop::collection::vec(size, 1..5), any::<bool>()), 1..6)
}

/// Writes all of it and says goodbye; gives what was written.
async fn send(mut io: impl AsyncWrite + Unpin, writes: &[Write]) -> Vec<u8> {
    let mut sent = Vec::new();
    for (sizes, flush) in writes {
        let whole = pattern(sizes.iter().sum());
        let mut rest = &whole[..];
        let mut slices = Vec::new();
        for &size in sizes {
            let (slice, behind) = rest.split_at(size);
            slices.push(IoSlice::new(slice));
            rest = behind;
        }
        let mut slices = &mut slices[..];
        let mut written = 0;
        while written < whole.len() {
            let len = write_vectored(&mut io, slices).await;
            assert!(len > 0);
            written += len;
            IoSlice::advance_slices(&mut slices, len);
        }
        sent.extend(whole);
        if *flush {
            io.flush().await.unwrap();
        }
    }
    io.shutdown().await.unwrap();
    sent
}

/// Reads until the end, each time into a buffer of the next size.
async fn receive(mut io: impl AsyncRead + Unpin, sizes: &[usize]) -> Vec<u8> {
    let mut received = Vec::new();
    for &size in sizes.iter().cycle() {
        let mut buffer = vec![0; size];
        let len = io.read(&mut buffer).await.unwrap();
        if len == 0 {
            break;
        }
        received.extend_from_slice(&buffer[..len]);
    }
    received
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_arrive_in_any_pieces(
        pipe in 1_000..200_000_usize,
        up in writes(),
        down in writes(),
        reads in prop::collection::vec(prop_oneof![50..1_000_usize, 1_000..150_000_usize], 1..5),
    ) {
        block_on(both_ways(pipe, &up, &down, &reads));
    }

    #[test]
    fn bytes_arrive_in_the_smallest_pieces(
        pipe in 1..64_usize,
        up in prop::collection::vec((prop::collection::vec(0..60_usize, 1..5), any::<bool>()), 1..6),
        reads in prop::collection::vec(1..50_usize, 1..5),
    ) {
        block_on(both_ways(pipe, &up, &up, &reads));
    }
}

/// Both directions at once, the halves of each end used by different tasks.
async fn both_ways(pipe: usize, up: &[Write], down: &[Write], reads: &[usize]) {
    let (here, there) = pair(pipe).await;
    let ((here_read, here_write), (there_read, there_write)) = (split(here), split(there));
    let (sent_up, sent_down, got_down, got_up) = tokio::join!(
        send(here_write, up),
        send(there_write, down),
        receive(here_read, reads),
        receive(there_read, reads),
    );
    assert!(sent_up == got_up && sent_down == got_down);
}

#[tokio::test]
async fn what_is_written_leaves_with_a_flush() {
    let (mut here, mut there) = pair(1024).await;
    here.write_all(b"now").await.unwrap();
    let mut text = [0; 3];
    let early = poll_immediate(there.read(&mut text)).await;
    assert!(early.is_none(), "a small write waits");
    here.flush().await.unwrap();
    there.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"now");
}

#[tokio::test]
async fn much_that_is_written_leaves_without_a_flush() {
    let (mut here, mut there) = pair(1024 * 1024).await;
    for _ in 0..3 {
        here.write_all(&pattern(64 * 1024)).await.unwrap();
    }
    let mut first = vec![0; 64 * 1024];
    there.read_exact(&mut first).await.unwrap();
    assert!(first == pattern(64 * 1024));
}

#[tokio::test]
async fn a_writer_waits_while_nobody_reads() {
    let (mut here, mut there) = pair(1024).await;
    let chunk = pattern(64 * 1024);
    let mut written = 0;
    while let Some(len) = poll_immediate(here.write(&chunk)).await {
        written += len.unwrap();
        assert!(written < 1024 * 1024, "what is held is bounded");
    }
    let reading = async {
        let mut read = vec![0; written];
        there.read_exact(&mut read).await.unwrap();
    };
    let (flushed, ()) = tokio::join!(here.flush(), reading);
    flushed.unwrap();
}

#[tokio::test]
async fn after_shutdown_one_side_still_reads() {
    let (mut here, mut there) = pair(1024).await;
    here.write_all(b"bye").await.unwrap();
    here.shutdown().await.unwrap();
    assert_eq!(
        here.write(b"more").await.unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let mut text = Vec::new();
    there.read_to_end(&mut text).await.unwrap();
    assert_eq!(text, b"bye");
    there.write_all(b"answer").await.unwrap();
    there.shutdown().await.unwrap();
    here.read_to_end(&mut text).await.unwrap();
    assert_eq!(text, b"byeanswer");
}

#[tokio::test]
async fn one_upgrade_serves_many_connections() {
    let noise = Noise::new(&KEYS[0]).unwrap();
    assert_eq!(noise.protocol(), PROTOCOL);
    for _ in 0..3 {
        let (here, there) = duplex(1024);
        let dial = SecureRequest::new(Role::Dialer, None, vec![]);
        let accept = SecureRequest::new(Role::Listener, None, vec![]);
        let (dialed, accepted) = tokio::try_join!(
            noise.secure(Box::new(here), dial),
            noise.secure(Box::new(there), accept)
        )
        .unwrap();
        assert_eq!((dialed.muxer, accepted.muxer), (None, None));
    }
}

/// The value of a future that is ready at once.
async fn poll_immediate<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
