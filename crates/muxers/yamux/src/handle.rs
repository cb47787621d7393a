//! The handle of a connection and the streams that the remote opens.

use crate::{machine::Ticket, shared::Shared, stream::YamuxStream};
use sinew_core::{AcceptStreams, BoxFuture, CloseCode, CloseReason, MuxError, MuxedConnection, MuxedStream};
use sinew_runtime::now;
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// Opens streams and closes the connection.
pub(crate) struct Handle(pub(crate) Arc<Shared>);

impl MuxedConnection for Handle {
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
        let shared = self.0.clone();
        Box::pin(poll_fn(move |cx| {
            let mut state = shared.lock();
            match state.machine.end() {
                Some(end) if state.done => Poll::Ready(state.reason(end)),
                _ => {
                    state.watchers.retain(|watcher| !watcher.will_wake(cx.waker()));
                    state.watchers.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }

    fn rtt(&self) -> Option<Duration> {
        self.0.lock().machine.rtt()
    }
}

/// A stream being opened: holds a place in the queue while there are too many unacknowledged ones.
struct Opening {
    shared: Arc<Shared>,
    ticket: Option<Ticket>,
}

impl Future for Opening {
    type Output = Result<Box<dyn MuxedStream>, MuxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { shared, ticket } = &mut *self;
        let opened = shared.with(|state| {
            let opened = state.machine.open(now(), ticket, || cx.waker().clone());
            opened.map_err(|refused| state.refused(refused))
        });
        opened.map_ok(|id| Box::new(YamuxStream::new(shared.clone(), id)) as Box<dyn MuxedStream>)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.with(|state| state.machine.cancel_open(ticket));
        }
    }
}

/// Yields the streams that the remote opens.
pub(crate) struct Accept(pub(crate) Arc<Shared>);

impl AcceptStreams for Accept {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn MuxedStream>, CloseReason>> {
        let accepted = self.0.with(|state| {
            let accepted = state.machine.accept(|| cx.waker().clone());
            accepted.map_err(|end| state.reason(end))
        });
        accepted.map_ok(|id| Box::new(YamuxStream::new(self.0.clone(), id)) as Box<dyn MuxedStream>)
    }
}
