//! The receiving halves of the streams of a connection, so that those that nobody reads can be given up.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use quinn::{ReadError, RecvStream, StreamId};
use sinew_core::code;

use super::reason::{StreamEnd, to_wire};

/// Those that somebody holds.
#[derive(Default)]
pub(crate) struct Readers(Mutex<BTreeMap<StreamId, Weak<Reader>>>);

/// The receiving half of a stream.
pub(crate) struct Reader(Mutex<State>);

struct State {
    recv: RecvStream,
    /// Who was last told to wait.
    waiting: Option<Waker>,
    /// Somebody has tried to read since the readers were last watched.
    tried: bool,
    /// How the remote's direction ended, where quinn does not tell again, or that what came lay unread for too long.
    over: Option<StreamEnd>,
}

impl Readers {
    pub(crate) fn add(&self, recv: RecvStream) -> Arc<Reader> {
        let id = recv.id();
        let reader = Arc::new(Reader(Mutex::new(State {
            recv,
            waiting: None,
            tried: false,
            over: None,
        })));
        self.lock().insert(id, Arc::downgrade(&reader));
        reader
    }

    pub(crate) fn remove(&self, id: StreamId) {
        self.lock().remove(&id);
    }

    /// From now on counts who tries to read.
    pub(crate) fn watch(&self) {
        for reader in self.all() {
            reader.lock().tried = false;
        }
    }

    /// Refuses what the remote sends on streams that have something to read and that nobody has tried to read since.
    pub(crate) fn give_up_unread(&self) {
        for reader in self.all() {
            reader.lock().give_up_unread();
        }
    }

    fn all(&self) -> Vec<Arc<Reader>> {
        self.lock().values().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamId, Weak<Reader>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// Reads with `read`, unless what came was given up.
    pub(crate) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut RecvStream, &mut Context<'_>) -> Poll<Result<T, ReadError>>,
    ) -> Poll<Result<T, StreamEnd>> {
        let mut state = self.lock();
        if let Some(end) = &state.over {
            return Poll::Ready(Err(end.clone()));
        }
        state.tried = true;
        let polled = read(&mut state.recv, cx);
        if polled.is_pending() {
            match &mut state.waiting {
                Some(waiting) => waiting.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        polled.map_err(StreamEnd::from)
    }

    /// Refuses the rest of what the remote sends. `false` if there is none.
    pub(crate) fn stop(&self, code: quinn::VarInt) -> bool {
        self.lock().recv.stop(code).is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives up what nobody has tried to read.
    fn give_up_unread(&mut self) {
        if self.tried || !self.has_unread() {
            return;
        }
        if self.recv.stop(to_wire(code::stream::RESOURCE_LIMIT)).is_ok() {
            self.over = Some(StreamEnd::GivenUp);
        }
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// A read of nothing tells. quinn then wakes whoever asked last, so the question is asked for whoever waits.
    fn has_unread(&mut self) -> bool {
        let waker = self.waiting.as_ref().unwrap_or(Waker::noop());
        let peek = pin!(self.recv.read_chunk(0, true)).poll(&mut Context::from_waker(waker));
        match peek {
            Poll::Ready(Ok(chunk)) => chunk.is_some(),
            Poll::Ready(Err(error)) => {
                self.over = Some(error.into());
                false
            }
            Poll::Pending => false,
        }
    }
}
