//! Two ends of a multiplexed connection, with their drivers running.

use std::{future::poll_fn, sync::Arc, time::Duration};

use sinew_core::{AcceptStreams, BoxedIo, CloseReason, Muxed, MuxedConnection, MuxedStream, Role};
use sinew_runtime::TaskScope;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

use super::{Subject, Upgrade};
use crate::{
    fault::{Check, During, Fault, ensure},
    io,
    pattern::{echo, receive_to_end, send_and_finish},
    scope::Counted,
};

/// Long enough for whatever moves without being waited for; on a paused clock it takes no time.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// Longer than whatever a task still has to do once its connection has ended.
const GRACE: Duration = Duration::from_secs(10);

/// How long a write waits until it counts as stuck, and what piles up while nobody accepts does so. Shorter than
/// [`SETTLE`], as nothing fails where it was too short: there is a real clock below some subjects.
pub(super) const STUCK: Duration = Duration::from_millis(300);

/// A stream of the muxer under test.
pub(super) type Stream = Box<dyn MuxedStream>;

/// Both ends.
pub(super) struct Pair {
    pub(super) dialer: Side,
    pub(super) listener: Side,
    tasks: TaskScope,
}

/// One end.
pub(super) struct Side {
    pub(super) handle: Arc<dyn MuxedConnection>,
    /// Gone once [`Pair::serve`] accepts in a task.
    accept: Option<Box<dyn AcceptStreams>>,
    ended: watch::Receiver<Option<CloseReason>>,
    scope: Arc<Counted>,
}

impl Pair {
    /// Two ends with nothing in between that would slow them down.
    pub(super) async fn new(subject: &Subject) -> Result<Self, Fault> {
        let tasks = TaskScope::new("conformance");
        let [dialer, listener] = Side::pair(subject, [&tasks, &tasks]).await?;
        Ok(Self {
            dialer,
            listener,
            tasks,
        })
    }

    /// Two ends over the given bytes.
    pub(super) fn over(upgrade: &Upgrade, (left, right): (BoxedIo, BoxedIo)) -> Self {
        let tasks = TaskScope::new("conformance");
        Self {
            dialer: Side::new(upgrade, left, Role::Dialer, &tasks),
            listener: Side::new(upgrade, right, Role::Listener, &tasks),
            tasks,
        }
    }

    /// A stream as both ends hold it. A muxer may tell the remote of a stream with its first byte, so one is sent.
    pub(super) async fn stream(&mut self) -> Result<(Stream, Stream), Fault> {
        let mut ours = self.dialer.open().await?;
        ours.write_all(&[7]).await.during("writing the first byte")?;
        ours.flush().await.during("flushing the first byte")?;
        let mut theirs = self.listener.accept().await?;
        ensure!(
            theirs.read_u8().await.during("reading the first byte")? == 7,
            "the first byte is another"
        );
        Ok((ours, theirs))
    }

    /// Accepts the listener's streams from now on, and sends back what comes on them.
    pub(super) fn serve(&mut self) {
        let Some(mut accept) = self.listener.accept.take() else {
            return;
        };
        let tasks = self.tasks.clone();
        self.tasks.spawn("accept", async move {
            while let Ok(mut stream) = poll_fn(|cx| accept.poll_accept(cx)).await {
                // Streams that the other side drops end with an error, which is theirs to judge.
                tasks.spawn("echo", async move {
                    let _ = echo(&mut stream).await;
                });
            }
        });
    }

    /// A stream to [`Pair::serve`] works.
    pub(super) async fn echoes(&self, seed: u64) -> Check {
        echo_check(&*self.dialer.handle, seed, 3000).await
    }

    /// Closes both ends; nothing is left of them.
    pub(super) async fn end(self) -> Check {
        self.dialer.handle.close(sinew_core::CloseCode::NONE);
        self.listener.handle.close(sinew_core::CloseCode::NONE);
        let Self {
            dialer,
            listener,
            tasks,
        } = self;
        let scopes = [dialer.scope.clone(), listener.scope.clone()];
        dialer.ended().await;
        listener.ended().await;
        drop((dialer, listener));
        let left = tasks.end(GRACE).await;
        ensure!(left.is_empty(), "tasks are left after the end: {left:?}");
        scopes.iter().try_for_each(|scope| scope.check_empty())
    }
}

/// Opens a stream to a side that echoes, and sends `length` bytes there and back.
pub(super) async fn echo_check(handle: &dyn MuxedConnection, seed: u64, length: usize) -> Check {
    let stream = handle.open().await.during("opening")?;
    let (mut read, mut write) = tokio::io::split(stream);
    tokio::try_join!(
        send_and_finish(&mut write, seed, length),
        receive_to_end(&mut read, seed, length)
    )?;
    Ok(())
}

impl Side {
    /// Both ends, the dialler's first, their drivers running in a scope each.
    pub(super) async fn pair(subject: &Subject, tasks: [&TaskScope; 2]) -> Result<[Self; 2], Fault> {
        match subject {
            Subject::Upgrade(upgrade) => {
                let (left, right) = io::pair();
                Ok([
                    Self::new(upgrade, left, Role::Dialer, tasks[0]),
                    Self::new(upgrade, right, Role::Listener, tasks[1]),
                ])
            }
            Subject::Transport(transport) => {
                let scopes: [Arc<Counted>; 2] = Default::default();
                let (ours, theirs) = transport
                    .connected([scopes[0].clone(), scopes[1].clone()])
                    .await?;
                let [dialer, listener] = scopes;
                Ok([
                    Self::start(ours.muxed, dialer, tasks[0]),
                    Self::start(theirs.muxed, listener, tasks[1]),
                ])
            }
        }
    }

    /// One end over the given bytes, its driver running in `tasks`.
    pub(super) fn new(upgrade: &Upgrade, io: BoxedIo, role: Role, tasks: &TaskScope) -> Self {
        let scope = Arc::new(Counted::default());
        Self::start(upgrade.mux(io, role, scope.clone()), scope, tasks)
    }

    fn start(muxed: Muxed, scope: Arc<Counted>, tasks: &TaskScope) -> Self {
        let Muxed {
            handle,
            accept,
            driver,
            ..
        } = muxed;
        let (sender, ended) = watch::channel(None);
        tasks.spawn("driver", async move {
            let reason = driver.await;
            sender.send_replace(Some(reason));
        });
        Self {
            handle,
            accept: Some(accept),
            ended,
            scope,
        }
    }

    pub(super) async fn open(&self) -> Result<Stream, Fault> {
        self.handle.open().await.during("opening")
    }

    pub(super) async fn accept(&mut self) -> Result<Stream, Fault> {
        self.accepted().await.during("accepting")
    }

    /// The next stream, or the reason why there is none.
    pub(super) async fn accepted(&mut self) -> Result<Stream, CloseReason> {
        match &mut self.accept {
            Some(accept) => poll_fn(|cx| accept.poll_accept(cx)).await,
            None => std::future::pending().await,
        }
    }

    /// The streams of the remote are not accepted any more.
    pub(super) fn drop_accept(&mut self) {
        self.accept = None;
    }

    /// Waits until the driver has ended; `None` if it was dropped.
    pub(super) async fn ended(&self) -> Option<CloseReason> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        }
    }
}
