//! The wrapped connection: between two members, with strangers, and with those who misbehave.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sinew_core::{BoxedIo, RawUpgrade};
use sinew_pnet::{PreSharedKey, PrivateNetwork, TruncatedNonce};
use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::timeout,
};

fn network(byte: u8) -> PrivateNetwork {
    PrivateNetwork::new(PreSharedKey::from_bytes(&[byte; 32]))
}

/// Two ends over a pipe that holds `room` bytes.
async fn ends(near: u8, far: u8, room: usize) -> (BoxedIo, BoxedIo) {
    let (left, right) = tokio::io::duplex(room);
    let (near, far) = (network(near), network(far));
    let both = tokio::try_join!(near.wrap(Box::new(left)), far.wrap(Box::new(right)));
    both.unwrap()
}

async fn stranger() -> (BoxedIo, DuplexStream) {
    let (near, far) = tokio::io::duplex(1 << 20);
    (network(1).wrap(Box::new(near)).await.unwrap(), far)
}

#[tokio::test]
async fn members_talk_whatever_the_pieces() {
    let text: Vec<u8> = (0..300_000u32).map(|n| (n * 7 + n / 251) as u8).collect();
    for room in [25, 64, 4096, 1 << 20] {
        let (mut near, mut far) = ends(1, 1, room).await;
        let mut heard = Vec::new();
        let speaking = async {
            for piece in text.chunks(50_021) {
                near.write_all(piece).await?;
            }
            near.shutdown().await
        };
        let (spoken, _) = tokio::join!(speaking, far.read_to_end(&mut heard));
        spoken.unwrap();
        assert!(heard == text, "over a pipe of {room} bytes");
        let answering = async {
            far.write_all(b"answer").await?;
            far.flush().await
        };
        let mut answer = [0; 6];
        let (answered, _) = tokio::join!(answering, near.read_exact(&mut answer));
        answered.unwrap();
        assert_eq!(&answer, b"answer", "the other direction goes on");
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}

#[tokio::test]
async fn each_connection_and_direction_has_its_own_stream_of_keys() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (mut near, mut far) = stranger().await;
        near.write_all(&[0; 64]).await.unwrap();
        near.flush().await.unwrap();
        let mut wire = [0; 24 + 64];
        far.read_exact(&mut wire).await.unwrap();
        seen.push(wire);
    }
    assert_ne!(seen[0][..24], seen[1][..24], "nonces");
    assert_ne!(seen[0][24..], seen[1][24..], "the same text");
}

#[tokio::test]
async fn a_stranger_hears_noise() {
    let (mut near, mut far) = ends(1, 2, 1 << 16).await;
    near.write_all(&[0; 1024]).await.unwrap();
    near.shutdown().await.unwrap();
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard.len(), 1024);
    let zeros = heard.iter().filter(|byte| **byte == 0).count();
    assert!(zeros < 32, "{zeros} of 1024 bytes are right");
}

#[tokio::test]
async fn a_nonce_that_ends_early() {
    for sent in 1..24 {
        let (mut near, mut far) = stranger().await;
        far.write_all(&vec![9; sent]).await.unwrap();
        far.shutdown().await.unwrap();
        let error = near.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let inside = error.get_ref().unwrap().downcast_ref::<TruncatedNonce>();
        assert_eq!(inside, Some(&TruncatedNonce(sent)));
    }
    let (mut near, far) = stranger().await;
    drop(far);
    assert_eq!(
        near.read(&mut [0; 1]).await.unwrap(),
        0,
        "an end before anything is an end"
    );
}

/// Who sends a nonce and falls silent costs nothing but the place; the deadline is the host's.
#[tokio::test(start_paused = true)]
async fn a_remote_that_is_silent_after_its_nonce() {
    let (mut near, mut far) = stranger().await;
    far.write_all(&[9; 24]).await.unwrap();
    let read = timeout(Duration::from_secs(3600), near.read_u8()).await;
    assert!(read.is_err(), "nothing comes of nothing");
    let wrapped = timeout(Duration::from_secs(3600), ends(1, 1, 10)).await;
    assert!(
        wrapped.is_err(),
        "a remote that takes no nonce is waited for, and the host ends that"
    );
}

/// Who reads nothing makes its writer wait.
#[tokio::test(start_paused = true)]
async fn a_remote_that_reads_nothing() {
    let (near, _far) = tokio::io::duplex(1000);
    let mut near = network(1).wrap(Box::new(near)).await.unwrap();
    let mut taken = 0;
    while let Ok(count) = timeout(Duration::from_secs(1), near.write(&[0; 10_000])).await {
        taken += count.unwrap();
        assert!(taken < 1 << 20, "without end");
    }
    assert!(taken <= 129 * 1024, "{taken} bytes wait");
}
