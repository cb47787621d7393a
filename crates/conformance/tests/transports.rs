//! The suite for transports finds what is broken: the memory transport, with one fault at a time.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use async_trait::async_trait;
use sinew_conformance::transport::{Subject, breaches};
use sinew_core::{
    BoxedIo, DialRequest, Incoming, Link, Listener, ListenerEvent, Multiaddr, RawConnection, Refusal,
    ResourceScope, Transport, TransportError,
};
use sinew_memory::MemoryTransport;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is wrong with a transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// Half-close ends both directions.
    CloseIsWhole,
    /// Half-close is not told.
    CloseIsNothing,
    /// Every 10,000th byte is another.
    Corrupts,
    /// Everything is taken, and kept until somebody reads.
    Unbounded,
    /// Any address is handled.
    Greedy,
    /// The dialler's end says another remote.
    WrongAddress,
    /// A dropped accept takes its connection with it.
    LosesAccepts,
    /// Turning away does nothing.
    KeepsRefused,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryTransport,
    fault: Fault,
    /// What a faulty refusal keeps alive.
    kept: Arc<Mutex<Vec<RawConnection>>>,
}

#[async_trait]
impl Transport for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn handles(&self, addr: &Multiaddr) -> bool {
        self.fault == Fault::Greedy || self.inner.handles(addr)
    }

    async fn dial(&self, addr: &Multiaddr, request: DialRequest) -> Result<Link, TransportError> {
        let Link::Raw(mut raw) = self.inner.dial(addr, request).await? else {
            panic!("the memory transport is raw");
        };
        if self.fault == Fault::WrongAddress {
            raw.remote = raw.local.clone();
        }
        raw.io = broken_io(raw.io, self.fault);
        Ok(Link::Raw(raw))
    }

    async fn listen(&self, addr: &Multiaddr) -> Result<Box<dyn Listener>, TransportError> {
        let inner = self.inner.listen(addr).await?;
        let (fault, kept) = (self.fault, self.kept.clone());
        Ok(Box::new(BrokenListener { inner, fault, kept }))
    }
}

struct BrokenListener {
    inner: Box<dyn Listener>,
    fault: Fault,
    kept: Arc<Mutex<Vec<RawConnection>>>,
}

#[async_trait]
impl Listener for BrokenListener {
    fn addresses(&self) -> Vec<Multiaddr> {
        self.inner.addresses()
    }

    async fn next(&mut self) -> ListenerEvent {
        let event = self.inner.next().await;
        if self.fault == Fault::LosesAccepts {
            tokio::task::yield_now().await;
        }
        match event {
            ListenerEvent::Incoming(inner) => ListenerEvent::Incoming(Box::new(BrokenIncoming {
                inner,
                fault: self.fault,
                kept: self.kept.clone(),
            })),
            other => other,
        }
    }
}

struct BrokenIncoming {
    inner: Box<dyn Incoming>,
    fault: Fault,
    kept: Arc<Mutex<Vec<RawConnection>>>,
}

#[async_trait]
impl Incoming for BrokenIncoming {
    fn local(&self) -> &Multiaddr {
        self.inner.local()
    }

    fn remote(&self) -> &Multiaddr {
        self.inner.remote()
    }

    async fn finish(self: Box<Self>, scope: Arc<dyn ResourceScope>) -> Result<Link, TransportError> {
        let Link::Raw(mut raw) = self.inner.finish(scope).await? else {
            panic!("the memory transport is raw");
        };
        raw.io = broken_io(raw.io, self.fault);
        Ok(Link::Raw(raw))
    }

    fn refuse(self: Box<Self>, how: Refusal) {
        if self.fault != Fault::KeepsRefused {
            return self.inner.refuse(how);
        }
        let kept = self.kept.clone();
        let finish = self.inner.finish(Arc::new(sinew_core::Unlimited));
        // The memory transport is done at once.
        if let Some(Ok(Link::Raw(raw))) = futures_util::FutureExt::now_or_never(finish) {
            kept.lock().expect("no test panics with it").push(raw);
        }
    }
}

fn broken_io(inner: BoxedIo, fault: Fault) -> BoxedIo {
    let (written, held, closed) = (0, Vec::new(), false);
    Box::new(BrokenIo {
        inner,
        fault,
        written,
        held,
        closed,
    })
}

struct BrokenIo {
    inner: BoxedIo,
    fault: Fault,
    written: usize,
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
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for BrokenIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.fault == Fault::Unbounded {
            self.held.extend_from_slice(buf);
            self.pass_on(cx)?;
            return Poll::Ready(Ok(buf.len()));
        }
        let mut bytes = buf.to_vec();
        let next = 10_000 - self.written % 10_000 - 1;
        if let (Fault::Corrupts, Some(byte)) = (self.fault, bytes.get_mut(next)) {
            *byte ^= 1;
        }
        let taken = Pin::new(&mut self.inner).poll_write(cx, &bytes);
        if let Poll::Ready(Ok(taken)) = &taken {
            self.written += taken;
        }
        taken
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass_on(cx)?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass_on(cx)?;
        if !self.held.is_empty() {
            return Poll::Pending;
        }
        self.closed = true;
        if self.fault == Fault::CloseIsNothing {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The checks that a fault fails.
async fn found(fault: Fault) -> Vec<&'static str> {
    let (inner, kept) = (MemoryTransport::new(), Arc::default());
    let foreign = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
    let subject = Subject::new(
        Broken { inner, fault, kept },
        "/memory/0".parse().expect("an address"),
        vec![foreign],
    );
    breaches(&subject)
        .await
        .into_iter()
        .map(|breach| breach.check)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn without_a_fault_nothing_is_found() {
    assert_eq!(found(Fault::None).await, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_found() {
    for (fault, check) in [
        (Fault::CloseIsWhole, "half-close by the dialler"),
        (Fault::CloseIsNothing, "half-close by the listener"),
        (Fault::Corrupts, "4 MiB in both directions at once"),
        (Fault::Unbounded, "a slow reader beside a fast stream"),
        (Fault::Greedy, "addresses of other transports"),
        (Fault::WrongAddress, "both ends know both addresses"),
        (Fault::LosesAccepts, "a drop at every await of an accept"),
        (Fault::KeepsRefused, "a connection that is turned away"),
    ] {
        let found = found(fault).await;
        assert!(found.contains(&check), "{fault:?}: {found:?}");
    }
}
