//! The two loops: asking and echoing.

use crate::SIZE;
use sinew_runtime::{Elapsed, now, timeout};
use std::{io, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Not done in time.
    TimedOut,
    /// Something else came back.
    WrongEcho,
    /// The stream failed or ended.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Elapsed> for Failure {
    fn from(_: Elapsed) -> Self {
        Self::TimedOut
    }
}

/// Sends one ping and awaits its echo; how long that took.
pub(crate) async fn ask<I>(io: &mut I, payload: [u8; SIZE], limit: Duration) -> Result<Duration, Failure>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let start = now();
    let exchange = async {
        // One write: py-libp2p's listener of the official suite reads once and echoes what came.
        io.write_all(&payload).await?;
        io.flush().await?;
        let mut echo = [0; SIZE];
        io.read_exact(&mut echo).await?;
        if echo == payload {
            Ok(now() - start)
        } else {
            Err(Failure::WrongEcho)
        }
    };
    timeout(limit, exchange).await?
}

/// Sends back what comes until the asker ends. How many pings there were.
///
/// Between two pings an honest asker may be silent for as long as it likes; a ping that has begun has to be done, and its
/// echo taken, within `limit`.
pub(crate) async fn echo<I>(io: &mut I, limit: Duration) -> Result<u64, Failure>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut payload = [0; SIZE];
    let mut pings = 0;
    loop {
        let begun = io.read(&mut payload).await?;
        if begun == 0 {
            return Ok(pings);
        }
        let exchange = async {
            io.read_exact(&mut payload[begun..]).await?;
            io.write_all(&payload).await?;
            io.flush().await
        };
        timeout(limit, exchange).await??;
        pings += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, SIZE, ask, echo};
    use serde::Deserialize;
    use sinew_runtime::now;
    use std::{io, time::Duration};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const LIMIT: Duration = Duration::from_secs(10);

    #[derive(Deserialize)]
    struct Entry {
        name: String,
        protocol: String,
        opener_negotiation: Vec<String>,
        opener_bytes: String,
        other_bytes: String,
    }

    /// What our echo answers to `input` in pieces of `step`.
    async fn echoed(input: &[u8], step: usize) -> Vec<u8> {
        let (mut asker, mut echoer) = duplex(1 << 16);
        let say = async {
            for piece in input.chunks(step) {
                asker.write_all(piece).await.unwrap();
            }
            asker.shutdown().await.unwrap();
            let mut answer = vec![0; input.len()];
            asker.read_exact(&mut answer).await.unwrap();
            answer
        };
        let (answer, pings) = tokio::join!(say, echo(&mut echoer, LIMIT));
        assert_eq!(pings.unwrap() as usize * SIZE, input.len());
        answer
    }

    #[tokio::test]
    async fn every_recorded_stream_is_answered_as_it_was() {
        let entries: Vec<Entry> = serde_json::from_str(include_str!("../tests/vectors/ping.json")).unwrap();
        for entry in &entries {
            let (asked, answered) = (hex::decode(&entry.opener_bytes), hex::decode(&entry.other_bytes));
            let (asked, answered) = (asked.unwrap(), answered.unwrap());
            assert_eq!(crate::PROTOCOL, *entry.protocol, "{}", entry.name);
            assert_eq!(
                entry.opener_negotiation.last(),
                Some(&entry.protocol),
                "{}",
                entry.name
            );
            for step in [1, 7, SIZE, asked.len()] {
                let ours = echoed(&asked, step).await;
                // go-libp2p resets the stream after its last ping, whose echo was not recorded then.
                assert!(ours.starts_with(&answered) && ours == asked, "{}", entry.name);
            }
            let payload = asked[..SIZE].try_into().unwrap();
            let (mut asker, mut echoer) = duplex(1 << 16);
            echoer.write_all(&answered).await.unwrap();
            ask(&mut asker, payload, LIMIT).await.unwrap();
            let mut sent = [0; SIZE];
            echoer.read_exact(&mut sent).await.unwrap();
            assert_eq!(sent, payload, "{}", entry.name);
        }
        assert_eq!(entries.len(), 11);
    }

    async fn asked_of(answer: &[u8]) -> Result<Duration, Failure> {
        let (mut asker, mut echoer) = duplex(1 << 16);
        echoer.write_all(answer).await.unwrap();
        echoer.shutdown().await.unwrap();
        ask(&mut asker, [7; SIZE], LIMIT).await
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_and_missing_echoes_fail() {
        assert!(asked_of(&[7; SIZE]).await.is_ok());
        assert!(matches!(asked_of(&[8; SIZE]).await, Err(Failure::WrongEcho)));
        for short in [0, 1, SIZE - 1] {
            let failure = asked_of(&[7; SIZE][..short]).await;
            assert!(matches!(failure, Err(Failure::Io(e)) if e.kind() == io::ErrorKind::UnexpectedEof));
        }
        let ((mut asker, _silent), start) = (duplex(64), now());
        assert!(matches!(
            ask(&mut asker, [7; SIZE], LIMIT).await,
            Err(Failure::TimedOut)
        ));
        assert_eq!(now() - start, LIMIT);
    }

    async fn echoing(mut asker: DuplexStream, said: &[u8]) -> DuplexStream {
        asker.write_all(said).await.unwrap();
        asker
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_asker_is_kept_and_a_slow_one_is_not() {
        let (asker, mut echoer) = duplex(64);
        let idle = sinew_runtime::timeout(Duration::from_secs(600), echo(&mut echoer, LIMIT)).await;
        assert!(idle.is_err(), "ten minutes of silence are fine");
        let (_asker, start) = (echoing(asker, &[7]).await, now());
        assert!(matches!(echo(&mut echoer, LIMIT).await, Err(Failure::TimedOut)));
        assert_eq!(now() - start, LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_asker_that_takes_no_echo_is_cut() {
        let (asker, mut echoer) = duplex(SIZE * 2);
        let keep = async {
            let mut asker = asker;
            for _ in 0..5 {
                asker = echoing(asker, &[7; SIZE]).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = echo(&mut echoer, LIMIT) => assert!(matches!(ended, Err(Failure::TimedOut))),
            () = keep => unreachable!(),
        }
    }

    #[tokio::test]
    async fn half_a_ping_is_no_ping() {
        let (asker, mut echoer) = duplex(64);
        drop(echoing(asker, &[7; 31]).await);
        assert!(matches!(echo(&mut echoer, LIMIT).await, Err(Failure::Io(_))));
    }
}
