//! The suite for secure upgrades finds what is broken: Noise, with one fault at a time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use sinew_conformance::security::{Subject, breaches};
use sinew_core::{BoxedIo, ProtocolId, SecureRequest, SecureUpgrade, Secured, SecurityError};
use sinew_identity::{Keypair, PeerId};
use sinew_noise::Noise;
use sinew_plaintext::InsecurePlaintext;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// What is wrong with an upgrade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// Whoever answers will do.
    AnyPeer,
    /// Another peer is reported than was proved.
    OtherPeer,
    /// The sides report different muxers.
    OtherMuxer,
    /// Half-close is not told.
    CloseIsNothing,
    /// Half-close ends both directions.
    CloseIsWhole,
    /// Any error of the bytes below reads as an end.
    ErrorsAreEnds,
    /// Everything is taken, and kept until somebody reads.
    Unbounded,
}

#[derive(Debug)]
struct Broken {
    inner: Noise,
    fault: Fault,
}

#[async_trait]
impl SecureUpgrade for Broken {
    fn protocol(&self) -> ProtocolId {
        self.inner.protocol()
    }

    async fn secure(&self, io: BoxedIo, mut request: SecureRequest) -> Result<Secured, SecurityError> {
        if self.fault == Fault::AnyPeer {
            request.expected = None;
        }
        let mut secured = self.inner.secure(io, request).await?;
        match self.fault {
            Fault::OtherPeer => secured.peer = PeerId::random(),
            Fault::OtherMuxer => secured.muxer = Some(ProtocolId::from(secured.peer.to_string().as_str())),
            _ => {}
        }
        secured.io = Box::new(BrokenIo {
            inner: secured.io,
            fault: self.fault,
            held: Vec::new(),
            closed: false,
        });
        Ok(secured)
    }
}

struct BrokenIo {
    inner: BoxedIo,
    fault: Fault,
    held: Vec<u8>,
    closed: bool,
}

impl BrokenIo {
    /// Writes on what was taken, as far as it goes.
    fn pass_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.held.is_empty() {
            match Pin::new(&mut self.inner).poll_write(cx, &self.held) {
                Poll::Ready(taken) => drop(self.held.drain(..taken?)),
                Poll::Pending => break,
            }
        }
        Ok(())
    }
}

impl AsyncRead for BrokenIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.closed && self.fault == Fault::CloseIsWhole {
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Ready(Err(_)) if self.fault == Fault::ErrorsAreEnds => Poll::Ready(Ok(())),
            other => other,
        }
    }
}

impl AsyncWrite for BrokenIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.fault != Fault::Unbounded {
            return Pin::new(&mut self.inner).poll_write(cx, buf);
        }
        self.held.extend_from_slice(buf);
        self.pass_on(cx)?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass_on(cx)?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass_on(cx)?;
        self.closed = true;
        if self.fault == Fault::CloseIsNothing {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

async fn found(subject: &Subject) -> Vec<&'static str> {
    breaches(subject)
        .await
        .into_iter()
        .map(|breach| breach.check)
        .collect()
}

fn broken(fault: Fault) -> Subject {
    let make = move |key: Keypair| {
        let inner = Noise::new(&key).expect("the key signs");
        Broken { inner, fault }
    };
    Subject::new(make)
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_nothing_is_found() {
    assert_eq!(found(&broken(Fault::None)).await, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_found() {
    for (fault, check) in [
        (Fault::AnyPeer, "the dialler refuses the wrong peer"),
        (Fault::OtherPeer, "both sides learn who the other is"),
        (Fault::OtherMuxer, "a muxer that is agreed on early"),
        (Fault::CloseIsNothing, "half-close by the dialler"),
        (Fault::CloseIsWhole, "half-close by the listener"),
        (Fault::ErrorsAreEnds, "an end that was cut is no end"),
        (Fault::Unbounded, "a slow reader beside a fast stream"),
    ] {
        let found = found(&broken(fault)).await;
        assert!(found.contains(&check), "{fault:?}: {found:?}");
    }
}

/// What encrypts nothing does not pass for what does.
#[tokio::test(start_paused = true)]
async fn plaintext_is_found_out() {
    let found = found(&Subject::new(|key| InsecurePlaintext::new(key.public()))).await;
    assert!(found.contains(&"what is sent cannot be read"), "{found:?}");
    assert!(
        found.contains(&"a changed byte is found, wherever it is"),
        "{found:?}"
    );
}

/// An upgrade that believes what it is told, and tells before it has checked.
#[derive(Debug)]
struct Echoing(ProtocolId, sinew_core::PublicKey);

#[async_trait]
impl SecureUpgrade for Echoing {
    fn protocol(&self) -> ProtocolId {
        self.0.clone()
    }

    async fn secure(&self, mut io: BoxedIo, _: SecureRequest) -> Result<Secured, SecurityError> {
        io.write_all(b"hello").await?;
        io.read_exact(&mut [0; 5]).await?;
        Ok(Secured::new(io, self.1.clone(), None))
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_takes_anything_is_found() {
    let subject = Subject::insecure(|key| Echoing("/echo".into(), key.public().clone()));
    let found = found(&subject).await;
    for check in [
        "both sides learn who the other is",
        "the listener refuses the wrong peer",
        "garbage is the peer's fault",
    ] {
        assert!(found.contains(&check), "{check}: {found:?}");
    }
}
