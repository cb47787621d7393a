//! Two ends of one connection, with their drivers running.

use bytes::Bytes;
use sinew_core::{
    AcceptStreams, BoxedIo, CloseReason, LimitExceeded, MuxedConnection, MuxedStream, MuxerUpgrade, Resource,
    ResourceScope, Role, Unlimited,
};
use sinew_runtime::TaskScope;
use sinew_yamux::{Config, Yamux};
use std::{
    future::poll_fn,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub(crate) struct Side {
    pub(crate) handle: Arc<dyn MuxedConnection>,
    pub(crate) accept: Box<dyn AcceptStreams>,
    pub(crate) scope: TaskScope,
}

impl Side {
    pub(crate) fn new(io: BoxedIo, role: Role, config: Config) -> Self {
        Self::within(io, role, config, Arc::new(Unlimited))
    }

    pub(crate) fn within(io: BoxedIo, role: Role, config: Config, scope: Arc<dyn ResourceScope>) -> Self {
        let muxed = Yamux::new(config).mux(io, role, scope);
        let scope = TaskScope::new("connection");
        scope.spawn("driver", async {
            muxed.driver.await;
        });
        Self {
            handle: muxed.handle,
            accept: muxed.accept,
            scope,
        }
    }

    pub(crate) async fn open(&self) -> Box<dyn MuxedStream> {
        self.handle.open().await.expect("the connection is open")
    }

    pub(crate) async fn accept(&mut self) -> Result<Box<dyn MuxedStream>, CloseReason> {
        poll_fn(|cx| self.accept.poll_accept(cx)).await
    }
}

/// Two sides over a pipe that takes 64 KiB at a time.
pub(crate) fn pair() -> (Side, Side) {
    pair_with(Config::default(), Config::default())
}

pub(crate) fn pair_with(dialer: Config, listener: Config) -> (Side, Side) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    (
        Side::new(Box::new(near), Role::Dialer, dialer),
        Side::new(Box::new(far), Role::Listener, listener),
    )
}

pub(crate) async fn write(stream: &mut dyn MuxedStream, bytes: impl Into<Bytes>) -> io::Result<()> {
    let mut chunk = bytes.into();
    while !chunk.is_empty() {
        poll_fn(|cx| stream.poll_write_chunk(cx, &mut chunk)).await?;
    }
    Ok(())
}

pub(crate) async fn read(stream: &mut dyn MuxedStream) -> io::Result<Option<Bytes>> {
    poll_fn(|cx| stream.poll_chunk(cx, usize::MAX)).await
}

pub(crate) async fn read_all(stream: &mut dyn MuxedStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = read(stream).await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// A scope whose share is set by the test, and which remembers what lies unread.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) bytes: AtomicU64,
    pub(crate) noted: AtomicU64,
}

impl Share {
    pub(crate) fn of(bytes: u64) -> Self {
        Self {
            bytes: AtomicU64::new(bytes),
            noted: AtomicU64::new(0),
        }
    }
}

impl ResourceScope for Share {
    fn charge(&self, _: Resource, _: u64) -> Result<(), LimitExceeded> {
        Ok(())
    }

    fn release(&self, _: Resource, _: u64) {}

    fn note_unread(&self, bytes: u64) -> u64 {
        self.noted.store(bytes, Ordering::Relaxed);
        self.bytes.load(Ordering::Relaxed)
    }
}
