//! The handle of a connection, the streams that the remote opens, and the driver.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{
    StreamExt,
    stream::{BoxStream, unfold},
};
use quinn::{ConnectionError, RecvStream, SendStream};
use sinew_core::{AcceptStreams, BoxFuture, CloseCode, CloseReason, MuxError, MuxedConnection, MuxedStream};

use super::{shared::Shared, stream::QuicStream};

/// Opens streams and closes the connection.
pub(crate) struct Handle(pub(crate) Arc<Shared>);

impl MuxedConnection for Handle {
    /// Waits while the remote has allowed no more streams.
    fn open(&self) -> BoxFuture<'static, Result<Box<dyn MuxedStream>, MuxError>> {
        let shared = self.0.clone();
        Box::pin(async move {
            if let Some(reason) = shared.closing() {
                return Err(MuxError::Closed(reason));
            }
            let opened = shared.connection.open_bi().await;
            let (send, recv) = opened.map_err(|error| MuxError::Closed(shared.reason(error)))?;
            Ok(QuicStream::opened(shared, send, recv))
        })
    }

    fn close(&self, code: CloseCode) {
        self.0.close(code);
    }

    fn closed(&self) -> BoxFuture<'static, CloseReason> {
        let shared = self.0.clone();
        Box::pin(async move {
            let error = shared.connection.closed().await;
            shared.reason(error)
        })
    }

    fn rtt(&self) -> Option<Duration> {
        Some(self.0.connection.rtt())
    }
}

/// Yields the streams that the remote opens. A stream that nobody has accepted counts among those that the remote
/// may have open.
pub(crate) struct Accept {
    shared: Arc<Shared>,
    streams: BoxStream<'static, Result<(SendStream, RecvStream), ConnectionError>>,
}

impl Accept {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let next = |connection: quinn::Connection| async move {
            let accepted = connection.accept_bi().await;
            Some((accepted, connection))
        };
        let streams = unfold(shared.connection.clone(), next).boxed();
        Self { shared, streams }
    }
}

impl AcceptStreams for Accept {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn MuxedStream>, CloseReason>> {
        let accepted = ready!(self.streams.poll_next_unpin(cx)).expect("the stream of streams has no end");
        let stream = accepted.map(|(send, recv)| QuicStream::accepted(self.shared.clone(), send, recv));
        Poll::Ready(stream.map_err(|error| self.shared.reason(error)))
    }
}

/// Waits for the end of the connection. quinn moves the bytes in a task of its own.
pub(crate) async fn drive(shared: Arc<Shared>) -> CloseReason {
    let driven = Driven(shared);
    tokio::select! {
        biased;
        reason = driven.0.close_asked() => {
            driven.0.say_goodbye().await;
            // The remote may have been first.
            driven.0.ended().unwrap_or(reason)
        }
        error = driven.0.connection.closed() => driven.0.reason(error),
        never = driven.0.flow.watch() => match never {},
    }
}

/// A connection ends with its driver, also when that is dropped.
struct Driven(Arc<Shared>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.close_now();
    }
}
