//! The handle of a connection and the streams that the remote opens.

use crate::{
    buffers::Buffers,
    driver::Driver,
    machine::{Machine, Ticket},
    shared::Shared,
    stream::SessionStream,
};
use sinew_core::{
    AcceptStreams, BoxFuture, BoxedIo, CloseCode, CloseReason, MuxError, Muxed, MuxedConnection, MuxedStream,
    ResourceScope,
};
use sinew_runtime::now;
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// Lays the streams of `machine` over `io`. Nothing is read or written until the driver is polled. What lies unread is
/// noted in `scope`.
#[must_use]
pub fn mux<M: Machine>(io: BoxedIo, machine: M, scope: Arc<dyn ResourceScope>) -> Muxed {
    let buffers = Buffers::new();
    let shared = Shared::new(machine, scope, buffers.lent().clone());
    let driver = Driver::new(io, shared.clone(), buffers);
    Muxed::new(
        Arc::new(Handle(shared.clone())),
        Box::new(Accept(shared)),
        Box::pin(driver),
    )
}

/// Opens streams and closes the connection.
struct Handle<M>(Arc<Shared<M>>);

impl<M: Machine> MuxedConnection for Handle<M> {
    fn open(&self) -> BoxFuture<'static, Result<Box<dyn MuxedStream>, MuxError>> {
        Box::pin(Opening {
            shared: self.0.clone(),
            ticket: None,
        })
    }

    fn close(&self, code: CloseCode) {
        self.0.with(|state| state.machine.close(now(), code));
    }

    fn closed(&self) -> BoxFuture<'static, CloseReason> {
        Box::pin(Closed {
            shared: self.0.clone(),
            ticket: None,
        })
    }

    fn rtt(&self) -> Option<Duration> {
        self.0.lock().machine.rtt()
    }
}

/// A stream being opened: holds a place in the queue while there are too many unacknowledged ones.
struct Opening<M: Machine> {
    shared: Arc<Shared<M>>,
    ticket: Option<Ticket>,
}

impl<M: Machine> Future for Opening<M> {
    type Output = Result<Box<dyn MuxedStream>, MuxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, ticket } = &mut *self;
        let opened = shared.with(|state| {
            let opened = state.machine.open(now(), ticket, || cx.waker().clone());
            opened.map_err(|refused| state.refused(refused))
        });
        opened.map_ok(|id| Box::new(SessionStream::new(shared.clone(), id)) as Box<dyn MuxedStream>)
    }
}

impl<M: Machine> Drop for Opening<M> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.with(|state| state.machine.cancel_open(ticket));
        }
    }
}

/// Waits until the driver is done.
struct Closed<M: Machine> {
    shared: Arc<Shared<M>>,
    ticket: Option<u64>,
}

impl<M: Machine> Future for Closed<M> {
    type Output = CloseReason;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let Self { shared, ticket } = &mut *self;
        let mut state = shared.lock();
        match state.machine.end() {
            Some(end) if state.done => Poll::Ready(state.reason(end)),
            _ => {
                state.watch(ticket, cx.waker());
                Poll::Pending
            }
        }
    }
}

impl<M: Machine> Drop for Closed<M> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.lock().unwatch(ticket);
        }
    }
}

/// Yields the streams that the remote opens.
struct Accept<M>(Arc<Shared<M>>);

impl<M: Machine> AcceptStreams for Accept<M> {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn MuxedStream>, CloseReason>> {
        let accepted = self.0.with(|state| {
            let accepted = state.machine.accept(|| cx.waker().clone());
            accepted.map_err(|end| state.reason(end))
        });
        accepted.map_ok(|id| Box::new(SessionStream::new(self.0.clone(), id)) as Box<dyn MuxedStream>)
    }
}
