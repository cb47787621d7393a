//! A peer that speaks pub/sub and means no good: a connection of its own identity, and what it hears over it.

use super::super::{Aim, channel::Muxer};
use bytes::BytesMut;
use sinew_core::{AcceptStreams, MuxedConnection, MuxedStream, MuxerUpgrade, OpenOptions, Role, Unlimited};
use sinew_floodsub::{MAX_RPC, Message, Rpc};
use sinew_identity::Keypair;
use sinew_multistream::{accept, open};
use sinew_wire::Frames;
use sinew_yamux::Yamux;
use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

/// How long an agreement may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the target may take to open a stream of its own, if it does.
const SOON: Duration = Duration::from_secs(1);

/// The messages that are remembered.
const HEARD: usize = 100;

/// A connection to the target.
pub(super) struct Peer {
    /// Who it is.
    pub(super) key: Keypair,
    /// The newest messages that it was sent; none if it does not read.
    pub(super) heard: Heard,
    kind: Kind,
    /// Whether it heard the target over a stream of that.
    met: watch::Receiver<bool>,
    connection: Arc<dyn MuxedConnection>,
    _tasks: JoinSet<()>,
}

/// The newest messages that a peer was sent.
pub(super) type Heard = Arc<Mutex<VecDeque<Message>>>;

/// How a peer behaves where the target writes to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It speaks gossipsub and reads.
    Gossipsub,
    /// It speaks gossipsub, and never reads.
    Unread,
    /// The same in floodsub, where there are no meshes: it is sent everything.
    UnreadFloodsub,
}

impl Kind {
    fn protocol(self) -> sinew_core::ProtocolId {
        match self {
            Self::Gossipsub | Self::Unread => sinew_gossipsub::PROTOCOLS[0].clone(),
            Self::UnreadFloodsub => sinew_floodsub::PROTOCOL,
        }
    }
}

impl Peer {
    /// Connects from an address of that number.
    pub(super) async fn connect(aim: &Aim, number: usize, kind: Kind) -> io::Result<Self> {
        let key = Keypair::generate();
        let socket = aim.connect(number).await?;
        let io = aim.secure_as(&key, socket, Muxer::Agreed).await?;
        let muxed = Yamux::default().mux(io, Role::Dialer, Arc::new(Unlimited));
        let (heard, mut tasks) = (Heard::default(), JoinSet::new());
        let (meets, met) = watch::channel(false);
        tasks.spawn(async move { drop(muxed.driver.await) });
        tasks.spawn(serve(muxed.accept, kind, heard.clone(), meets));
        Ok(Self {
            key,
            heard,
            kind,
            met,
            connection: muxed.handle,
            _tasks: tasks,
        })
    }

    /// Waits until the target ends the connection.
    pub(super) async fn closed(&self) {
        self.connection.closed().await;
    }

    /// Opens a stream that the target reads, and waits a while until it has written one: into a mesh come only those to whom it does.
    pub(super) async fn open(&self) -> io::Result<Box<dyn MuxedStream>> {
        let stream = self.connection.open().await.map_err(io::Error::other)?;
        let options = OpenOptions::default().eager();
        let opened = open(stream, vec![self.kind.protocol()], &options).await;
        let (_, stream) = opened.map_err(io::Error::other)?;
        let _ = timeout(SOON, self.met.clone().wait_for(|met| *met)).await;
        Ok(stream)
    }
}

/// Takes the streams that the target opens: those of pub/sub, and no others.
async fn serve(mut incoming: Box<dyn AcceptStreams>, kind: Kind, heard: Heard, meets: watch::Sender<bool>) {
    let mut streams = JoinSet::new();
    while let Ok(mut stream) = poll_fn(|cx| incoming.poll_accept(cx)).await {
        let (heard, meets) = (heard.clone(), meets.clone());
        streams.spawn(async move {
            let offer: Box<[_]> = Box::new([kind.protocol()]);
            let agreed = accept(&mut stream, offer, PATIENCE).await;
            if agreed.is_err() {
                return;
            }
            match kind {
                Kind::Gossipsub => drop(listen(stream, &heard, &meets).await),
                Kind::Unread | Kind::UnreadFloodsub => pending().await,
            }
        });
        while streams.try_join_next().is_some() {}
    }
}

/// Reads what the target says, and remembers its messages.
async fn listen(
    mut stream: Box<dyn MuxedStream>,
    heard: &Heard,
    meets: &watch::Sender<bool>,
) -> io::Result<()> {
    let (mut buffer, frames) = (BytesMut::new(), Frames::new(MAX_RPC));
    while stream.read_buf(&mut buffer).await? > 0 {
        meets.send_replace(true);
        while let Some(frame) = frames.decode(&mut buffer).map_err(io::Error::other)? {
            let rpc = Rpc::decode(&frame).map_err(io::Error::other)?;
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.extend(rpc.publish.into_iter().map(Message::detached));
            let surplus = heard.len().saturating_sub(HEARD);
            heard.drain(..surplus);
        }
    }
    stream.shutdown().await
}
