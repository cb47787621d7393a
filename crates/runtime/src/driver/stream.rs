//! The task of a stream: reads frames of an inbound one, writes those of an outbound one.

use super::{CloseCode, Ended, Failure, Input, OpenError, OpenOptions, PeerId, Shared, Shell};
use crate::timeout;
use bytes::{Bytes, BytesMut};
use sinew_core::{Host, Stream, code};
use sinew_machine::{PeerMachine, StreamInput, StreamKey, Token};
use sinew_wire::Frames;
use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc};

/// How long a peer has to take the rest of a stream that ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long a peer has to make room for a frame, as in go-libp2p: who reads nothing is not one to wait for.
const ROOM: Duration = Duration::from_secs(30);

/// Bytes of frames of one stream that the machine may have before it; a longer frame is there alone. What others say waits
/// behind them, and a frame takes many times its length in memory and in time.
const AHEAD: usize = 64 << 10;

/// What the shortest frame counts as.
const LEAST: usize = 1 << 10;

/// What the task of a stream is told to do.
enum Order {
    Send(Bytes),
    Reset(CloseCode),
}

/// A stream that the machine knows of, as its task holds it.
pub(super) struct Ends {
    pub(super) stream: StreamKey,
    orders: mpsc::Receiver<Order>,
}

/// The same, as the driver holds it.
pub(super) struct Handle {
    orders: mpsc::Sender<Order>,
    outbound: Option<Outbound>,
}

/// A stream that is written: by the driver while there is room, since that costs no turn of another task, and else by its task.
#[derive(Clone)]
pub(super) struct Outbound(Arc<Mutex<Option<Stream>>>);

/// Both views of a stream.
pub(super) fn ends(stream: StreamKey, outbound: Option<Outbound>) -> (Handle, Ends) {
    // Room for one frame, and for a reset behind it.
    let (sender, orders) = mpsc::channel(2);
    let handle = Handle {
        orders: sender,
        outbound,
    };
    (handle, Ends { stream, orders })
}

impl Handle {
    /// Writes a frame, of which the task gets what there is no room for. Whether all of it was written.
    pub(super) fn send(&self, frame: Bytes) -> bool {
        let Some(outbound) = &self.outbound else {
            tracing::error!("a machine writes to an inbound stream");
            return false;
        };
        let rest = outbound.write(frame);
        let is_written = rest.is_empty();
        if !is_written {
            self.order(Order::Send(rest));
        }
        is_written
    }

    /// Has the stream aborted.
    pub(super) fn reset(&self, code: CloseCode) {
        self.order(Order::Reset(code));
    }

    /// A stream that has ended meanwhile has no use for it, and says so by itself.
    fn order(&self, order: Order) {
        drop(self.orders.try_send(order));
    }
}

impl Outbound {
    fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes as much of a frame as there is room for; the rest of it.
    fn write(&self, mut frame: Bytes) -> Bytes {
        // Nobody waits here: where there is no room, the task asks again.
        let mut cx = Context::from_waker(Waker::noop());
        if let Some(stream) = &mut *self.lock() {
            while !frame.is_empty()
                && let Poll::Ready(Ok(())) = stream.poll_write_chunk(&mut cx, &mut frame)
            {}
        }
        frame
    }

    async fn write_all(&self, mut frame: Bytes) -> io::Result<()> {
        while !frame.is_empty() {
            poll_fn(|cx| match &mut *self.lock() {
                Some(stream) => stream.poll_write_chunk(cx, &mut frame),
                None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until the peer resets the stream or the connection ends.
    async fn reset_by_peer(&self) {
        poll_fn(|cx| match &mut *self.lock() {
            Some(stream) => pin!(stream.reset_by_peer()).poll(cx).map(|_| ()),
            None => Poll::Ready(()),
        })
        .await;
    }

    fn reset(&self, code: CloseCode) {
        if let Some(stream) = self.take() {
            stream.reset(code);
        }
    }

    /// Takes the stream away from the driver.
    fn take(&self) -> Option<Stream> {
        self.lock().take()
    }
}

/// Serves an inbound stream until it ends.
pub(super) async fn read<M: PeerMachine, S: Shell<M>>(
    shared: Arc<Shared<M, S>>,
    mut stream: Stream,
    protocol: usize,
) {
    let peer = stream.peer();
    let Ok(mut ends) = shared.opened(peer, protocol, None, None).await else {
        return;
    };
    let ended = tokio::select! {
        ended = frames(&shared, &mut stream, ends.stream) => ended,
        code = reset(&mut ends.orders) => Err(code),
    };
    match ended {
        // The other side has said all; nothing was to be said by us.
        Ok(()) => finish(stream).await,
        Err(code) => stream.reset(code),
    }
    let closed = StreamInput::Closed { stream: ends.stream };
    let _ = shared.bring_stream(closed).await;
}

/// Brings the frames of a stream, until its end or an error, which has a code.
async fn frames<M: PeerMachine, S: Shell<M>>(
    shared: &Shared<M, S>,
    stream: &mut Stream,
    key: StreamKey,
) -> Result<(), CloseCode> {
    let frames = Frames::new(shared.shell.max_frame());
    let ahead = Arc::new(Semaphore::new(AHEAD / LEAST));
    let mut buffer = BytesMut::new();
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        // A chunk that begins a frame is taken as it is, so that what fits into one is not copied.
        if buffer.is_empty() {
            buffer = BytesMut::from(chunk);
        } else {
            buffer.extend_from_slice(&chunk);
        }
        loop {
            let Ok(frame) = frames.decode(&mut buffer) else {
                return Err(malformed(shared, key).await);
            };
            let Some(frame) = frame else { break };
            let cost = u32::try_from(frame.len().clamp(LEAST, AHEAD) / LEAST).unwrap_or(1);
            // It is never closed.
            let place = ahead.clone().acquire_many_owned(cost).await.ok();
            let Ok(message) = shared.shell.decode(frame) else {
                return Err(malformed(shared, key).await);
            };
            let input = StreamInput::Message { stream: key, message };
            let brought = shared.bring(Input::Stream(input), place).await;
            brought.map_err(|Ended| code::stream::SHUTDOWN)?;
        }
        if buffer.is_empty() {
            // Nothing is held while nothing comes.
            buffer = BytesMut::new();
        }
    }
    Ok(())
}

/// Tells the machine of a peer that sends what is no frame; the code that the peer is told.
async fn malformed<M: PeerMachine, S: Shell<M>>(shared: &Shared<M, S>, stream: StreamKey) -> CloseCode {
    // Nobody is there to hear of it once the driver has ended.
    let _ = shared.bring_stream(StreamInput::Malformed { stream }).await;
    code::stream::PROTOCOL_VIOLATION
}

/// Ends our direction, if the peer takes that within a while.
async fn finish(mut stream: Stream) {
    // Whether it arrives matters to nobody.
    let _ = timeout(GOODBYE, stream.finish()).await;
}

/// Waits until the stream is to be reset.
async fn reset(orders: &mut mpsc::Receiver<Order>) -> CloseCode {
    loop {
        match orders.recv().await {
            Some(Order::Reset(code)) => return code,
            Some(Order::Send(_)) => tracing::error!("a machine writes to an inbound stream"),
            None => return code::stream::SHUTDOWN,
        }
    }
}

/// Opens an outbound stream, and writes what it is told until it ends.
pub(super) async fn open<M: PeerMachine, S: Shell<M>>(
    shared: Arc<Shared<M, S>>,
    host: Host,
    peer: PeerId,
    token: Token,
) {
    let (stream, protocol) = match try_open(&shared, &host, peer).await {
        Ok(opened) => opened,
        Err(failure) => {
            let failed = StreamInput::OpenFailed { token, failure };
            let _ = shared.bring_stream(failed).await;
            return;
        }
    };
    let outbound = Outbound::new(stream);
    let ours = Some(outbound.clone());
    let Ok(mut ends) = shared.opened(peer, protocol, Some(token), ours).await else {
        return;
    };
    write(&shared, &outbound, &mut ends).await;
    // The driver holds on to it until it hears of the end.
    drop(outbound.take());
    let closed = StreamInput::Closed { stream: ends.stream };
    let _ = shared.bring_stream(closed).await;
}

async fn try_open<M: PeerMachine, S: Shell<M>>(
    shared: &Shared<M, S>,
    host: &Host,
    peer: PeerId,
) -> Result<(Stream, usize), Failure> {
    let connection = host.connection(&peer).ok_or(Failure::Failed)?;
    // Waits for the agreement, so that a refusal is known as such.
    let options = OpenOptions::default().eager();
    let opened = connection.open_with(shared.protocols.clone(), options).await;
    let stream = opened.map_err(|error| {
        tracing::debug!(%peer, %error, service = shared.shell.name(), "no stream");
        match error {
            OpenError::Negotiation { .. } => Failure::Unsupported,
            _ => Failure::Failed,
        }
    })?;
    let spoken = shared
        .protocols
        .iter()
        .position(|protocol| protocol == stream.protocol());
    Ok((stream, spoken.ok_or(Failure::Unsupported)?))
}

async fn write<M: PeerMachine, S: Shell<M>>(shared: &Shared<M, S>, outbound: &Outbound, ends: &mut Ends) {
    loop {
        let order = tokio::select! {
            order = ends.orders.recv() => order,
            // Others end their direction at once, or never; what counts is whether they still read.
            () = outbound.reset_by_peer() => return,
        };
        match order {
            Some(Order::Send(frame)) => {
                let written = tokio::select! {
                    biased;
                    written = timeout(ROOM, outbound.write_all(frame)) => written,
                    // Who does not read holds up neither a reset nor the end.
                    order = ends.orders.recv() => {
                        if let Some(Order::Reset(code)) = order {
                            outbound.reset(code);
                        }
                        return;
                    }
                };
                let writable = StreamInput::Writable { stream: ends.stream };
                if !matches!(written, Ok(Ok(()))) || shared.bring_stream(writable).await.is_err() {
                    return;
                }
            }
            Some(Order::Reset(code)) => return outbound.reset(code),
            None => match outbound.take() {
                Some(stream) => return finish(stream).await,
                None => return,
            },
        }
    }
}
