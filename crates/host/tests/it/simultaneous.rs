//! Two nodes that dial each other at once: both connections are kept, both ends use the same, the other goes when empty.

use crate::rig::{echo, listening, with_key};
use sinew_core::{Connection, DialOptions, Host, Stream};
use sinew_host::Timeouts;
use sinew_identity::Keypair;
use std::time::Duration;

/// Two nodes, that of the smaller peer id first, and the connection that each of them dialled.
async fn crossed(smaller_first: bool) -> [(Host, Connection); 2] {
    let mut keys = [Keypair::generate(), Keypair::generate()];
    keys.sort_by_key(|key| key.public().peer_id());
    let [small, great] = keys;
    let ((small, to_small), (great, to_great)) =
        (listening(with_key(small)).await, listening(with_key(great)).await);
    for host in [&small, &great] {
        host.set_stream_handler("/echo", echo).expect("free");
    }
    let (by_small, by_great) = (
        small.dial((great.peer_id(), vec![to_great]), DialOptions::default()),
        great.dial((small.peer_id(), vec![to_small]), DialOptions::default()),
    );
    // Whose dial is polled first is first by a hair.
    let (by_small, by_great) = if smaller_first {
        tokio::join!(biased; by_small, by_great)
    } else {
        let (by_great, by_small) = tokio::join!(biased; by_great, by_small);
        (by_small, by_great)
    };
    while small.connections().len() + great.connections().len() < 4 {
        tokio::task::yield_now().await;
    }
    [
        (small, by_small.expect("connects")),
        (great, by_great.expect("connects")),
    ]
}

async fn says(stream: &mut Stream, data: &[u8]) {
    stream.write_all(data).await.expect("sent");
    stream.flush().await.expect("sent");
    let answer = stream.read_chunk().await.expect("alive").expect("an answer");
    assert_eq!(answer, data);
}

#[tokio::test(start_paused = true)]
async fn whoever_was_quicker_both_use_the_one_that_the_smaller_peer_dialled() {
    for smaller_first in [true, false] {
        let [(small, by_small), (great, by_great)] = crossed(smaller_first).await;
        let chosen = small.connection(&great.peer_id()).expect("connected");
        assert_eq!(chosen.info().id, by_small.info().id, "{smaller_first}");
        let other = great.connection(&small.peer_id()).expect("connected");
        assert_ne!(other.info().id, by_great.info().id, "{smaller_first}");
        // The same connection at both ends: what one opens arrives on what the other uses.
        let mut stream = great
            .new_stream(&small.peer_id(), ["/echo"])
            .await
            .expect("opens");
        assert_eq!(stream.connection().id, other.info().id);
        says(&mut stream, b"x").await;
        drop((by_small, by_great, chosen, other, stream));
        tokio::time::sleep(Timeouts::default().spare * 3).await;
        let left = [&small, &great].map(Host::connections);
        assert_eq!((left[0].len(), left[1].len()), (1, 1), "the spare one went");
        assert_eq!(left[0][0].direction, sinew_core::Direction::Outbound);
        assert_eq!(left[1][0].direction, sinew_core::Direction::Inbound);
    }
}

#[tokio::test(start_paused = true)]
async fn streams_under_way_on_the_spare_connection_end_in_peace() {
    for smaller_first in [true, false] {
        for by_smaller in [true, false] {
            let [(small, by_small), (great, by_great)] = crossed(smaller_first).await;
            // On the connection that neither end uses for new streams, from either end.
            let spare = by_great.info().id;
            let opener = if by_smaller {
                let inbound = small
                    .connections()
                    .into_iter()
                    .find(|info| info.id != by_small.info().id);
                let inbound = inbound.expect("two of them");
                small
                    .connection_by_id(&great.peer_id(), inbound.id)
                    .expect("alive")
            } else {
                by_great.clone()
            };
            let mut stream = opener.open(["/echo"]).await.expect("opens");
            says(&mut stream, b"begun").await;
            drop((by_small, by_great, opener));
            tokio::time::sleep(Timeouts::default().spare * 6).await;
            says(
                &mut stream,
                b"still there after both ends have looked for spare ones",
            )
            .await;
            stream.finish().await.expect("alive");
            assert_eq!(stream.read_to_end(1).await.expect("to its end"), b"".as_slice());
            drop(stream);
            tokio::time::sleep(Timeouts::default().spare * 3).await;
            let spare_is_there = great.connection_by_id(&small.peer_id(), spare).is_some();
            assert!(!spare_is_there, "{smaller_first} {by_smaller}: now it is empty");
            for host in [small, great] {
                host.shutdown(Duration::ZERO).await;
            }
        }
    }
}
