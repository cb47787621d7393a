//! The suite for muxers finds what is broken: yamux, with one fault at a time.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use sinew_conformance::muxer::{FlowControl, breaches, breaches_with};
use sinew_core::{
    AcceptStreams, BoxFuture, BoxedIo, CloseCode, CloseReason, MuxError, Muxed, MuxedConnection, MuxedStream,
    MuxerUpgrade, ProtocolId, ResourceScope, Role, StreamId, Unlimited,
};
use sinew_yamux::Yamux;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is wrong with a muxer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// Half-close is not told.
    CloseIsNothing,
    /// Half-close ends both directions.
    CloseIsWhole,
    /// A reset reads as an end.
    ResetIsEnd,
    /// A reset is not told.
    ResetIsNothing,
    /// A stream that is dropped has ended well.
    DropIsEnd,
    /// One reader holds up all others.
    HeadOfLine,
    /// More is read than was asked for.
    LargeChunks,
    /// All streams have one id.
    OneId,
    /// An open that is dropped ends the connection.
    FragileOpen,
    /// The 300th stream ends the connection.
    Backlog,
    /// Closing is not told to those who wait for it.
    ClosedHangs,
    /// Closing does nothing.
    CloseIgnored,
    /// A reservation is never given back.
    Leaks,
}

#[derive(Debug)]
struct Broken(Fault);

impl MuxerUpgrade for Broken {
    fn protocol(&self) -> ProtocolId {
        Yamux::default().protocol()
    }

    fn mux(&self, io: BoxedIo, role: Role, scope: Arc<dyn ResourceScope>) -> Muxed {
        let fault = self.0;
        if fault == Fault::Leaks {
            scope
                .charge(sinew_core::Resource::Memory, 1)
                .expect("it has no limit");
        }
        let Muxed {
            handle,
            accept,
            driver,
            ..
        } = Yamux::default().mux(io, role, Arc::new(Unlimited));
        let shared = Shared {
            fault,
            busy: Arc::default(),
        };
        let handle = BrokenHandle {
            inner: handle,
            opened: AtomicUsize::new(0),
            shared: shared.clone(),
        };
        let accept = BrokenAccept {
            inner: accept,
            shared,
        };
        Muxed::new(Arc::new(handle), Box::new(accept), driver)
    }
}

#[derive(Clone)]
struct Shared {
    fault: Fault,
    /// The stream that holds up the others, plus one.
    busy: Arc<AtomicUsize>,
}

struct BrokenHandle {
    inner: Arc<dyn MuxedConnection>,
    opened: AtomicUsize,
    shared: Shared,
}

/// Ends the connection when an open is dropped.
struct Fragile(Option<Arc<dyn MuxedConnection>>);

impl Drop for Fragile {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.close(CloseCode::NONE);
        }
    }
}

impl MuxedConnection for BrokenHandle {
    fn open(&self) -> BoxFuture<'static, Result<Box<dyn MuxedStream>, MuxError>> {
        let opened = self.opened.fetch_add(1, Ordering::SeqCst);
        if self.shared.fault == Fault::Backlog && opened == 300 {
            self.inner.close(CloseCode::NONE);
        }
        let fragile = (self.shared.fault == Fault::FragileOpen).then(|| self.inner.clone());
        let (open, shared) = (self.inner.open(), self.shared.clone());
        Box::pin(async move {
            let mut fragile = Fragile(fragile);
            tokio::task::yield_now().await;
            let stream = open.await;
            fragile.0 = None;
            Ok(Box::new(BrokenStream {
                inner: stream?,
                shared,
            }) as Box<dyn MuxedStream>)
        })
    }

    fn close(&self, code: CloseCode) {
        if self.shared.fault != Fault::CloseIgnored {
            self.inner.close(code);
        }
    }

    fn closed(&self) -> BoxFuture<'static, CloseReason> {
        match self.shared.fault {
            Fault::ClosedHangs => Box::pin(std::future::pending()),
            _ => self.inner.closed(),
        }
    }
}

struct BrokenAccept {
    inner: Box<dyn AcceptStreams>,
    shared: Shared,
}

impl AcceptStreams for BrokenAccept {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn MuxedStream>, CloseReason>> {
        let wrap = |inner| {
            let shared = self.shared.clone();
            Box::new(BrokenStream { inner, shared }) as Box<dyn MuxedStream>
        };
        self.inner.poll_accept(cx).map(|accepted| accepted.map(wrap))
    }
}

struct BrokenStream {
    inner: Box<dyn MuxedStream>,
    shared: Shared,
}

impl BrokenStream {
    fn has(&self, fault: Fault) -> bool {
        self.shared.fault == fault
    }

    /// A full stream claims the connection, and others wait until it has gone on.
    fn held_up(&self) -> bool {
        let busy = self.shared.busy.load(Ordering::SeqCst);
        self.has(Fault::HeadOfLine) && busy != 0 && busy != self.mark()
    }

    fn mark(&self) -> usize {
        usize::try_from(self.inner.id().0).expect("yamux has 32 bits") + 1
    }

    fn wrote<T>(&self, wrote: Poll<T>) -> Poll<T> {
        let busy = if wrote.is_pending() { self.mark() } else { 0 };
        if !self.held_up() {
            self.shared.busy.store(busy, Ordering::SeqCst);
        }
        wrote
    }
}

impl Drop for BrokenStream {
    fn drop(&mut self) {
        if self.has(Fault::DropIsEnd) {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let _ = Pin::new(&mut self.inner).poll_shutdown(&mut cx);
        }
    }
}

impl AsyncRead for BrokenStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.inner).poll_read(cx, buf) {
            Poll::Ready(Err(_)) if self.has(Fault::ResetIsEnd) => Poll::Ready(Ok(())),
            other => other,
        }
    }
}

impl AsyncWrite for BrokenStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.held_up() {
            return Poll::Pending;
        }
        let wrote = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.has(Fault::CloseIsNothing) {
            return Poll::Ready(Ok(()));
        }
        if self.has(Fault::CloseIsWhole) {
            self.inner.reset(CloseCode::NONE);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl MuxedStream for BrokenStream {
    fn id(&self) -> StreamId {
        if self.has(Fault::OneId) {
            StreamId(1)
        } else {
            self.inner.id()
        }
    }

    fn reset(&mut self, code: CloseCode) {
        if !self.has(Fault::ResetIsNothing) {
            self.inner.reset(code);
        }
    }

    fn stop(&mut self, code: CloseCode) {
        self.inner.stop(code);
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Option<Bytes>>> {
        let max = if self.has(Fault::LargeChunks) {
            max * 2
        } else {
            max
        };
        self.inner.poll_chunk(cx, max)
    }

    fn poll_write_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut Bytes) -> Poll<io::Result<()>> {
        self.inner.poll_write_chunk(cx, chunk)
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<CloseCode> {
        self.inner.poll_reset(cx)
    }
}

/// The checks that a fault fails.
async fn found(fault: Fault) -> Vec<&'static str> {
    breaches(Arc::new(Broken(fault)))
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
async fn faults_of_streams_are_found() {
    for (fault, check) in [
        (Fault::CloseIsNothing, "half-close by the opener"),
        (Fault::CloseIsWhole, "half-close by the acceptor"),
        (Fault::ResetIsEnd, "reset by the opener"),
        (Fault::ResetIsNothing, "reset is seen without reading"),
        (Fault::DropIsEnd, "an unfinished stream that is dropped is reset"),
        (Fault::HeadOfLine, "a slow reader beside a fast stream"),
        (Fault::LargeChunks, "chunks"),
        (Fault::OneId, "ids are not used twice"),
    ] {
        let found = found(fault).await;
        assert!(found.contains(&check), "{fault:?}: {found:?}");
    }
}

/// Where the wire has no flow control one stream may hold up others, but not for ever.
#[tokio::test(start_paused = true)]
async fn faults_without_flow_control_are_found() {
    let upgrade = Arc::new(Broken(Fault::HeadOfLine));
    let found = breaches_with(upgrade, FlowControl::Connection).await;
    let found: Vec<_> = found.iter().map(|breach| breach.check).collect();
    assert!(found.contains(&"a reader that stays away"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn faults_of_connections_are_found() {
    for (fault, check) in [
        (Fault::FragileOpen, "a drop at every await of the opener"),
        (Fault::Backlog, "opening beyond the backlog"),
        (Fault::ClosedHangs, "close by this side ends everything"),
        (Fault::CloseIgnored, "close during open"),
        (Fault::Leaks, "close without a stream"),
    ] {
        let found = found(fault).await;
        assert!(found.contains(&check), "{fault:?}: {found:?}");
    }
}
