//! Nodes of gossipsub in one process: everybody publishes in turn, and everybody else has to hear of it, once.

use crate::{BenchError, args::PubsubArgs, control, control::Input, figures::Figures};
use bytes::Bytes;
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

/// The topic that all nodes follow.
pub const TOPIC: &str = "bench";

/// The length of a message's data.
const MESSAGE: usize = 1024;

/// Messages at a time that are not everywhere yet.
const WINDOW: usize = 32;

/// How long meshes get to come about: some heartbeats.
const SETTLE: Duration = Duration::from_secs(3);

/// How long the last messages may take to be everywhere.
const GRACE: Duration = Duration::from_secs(5);

/// A node that follows [`TOPIC`] by gossipsub, with the numbers of the specification and of no score, and tells all peers of what
/// it publishes itself.
///
/// Without signatures a message has no author and no number, and is known by the SHA-256 of its data.
pub trait PubsubNode: Sized + Send + Sync + 'static {
    /// The library's name and version.
    const LIBRARY: (&'static str, &'static str);

    /// A node with a fresh identity that listens on a free port of the loopback interface.
    fn start(
        stack: &str,
        signed: bool,
        inbox: Inbox,
    ) -> impl Future<Output = Result<Self, BenchError>> + Send;

    /// Where it listens, as [`PubsubNode::dial`] takes it.
    fn addr(&self) -> String;

    /// Dials until the connection is established.
    fn dial(&self, addr: &str) -> impl Future<Output = Result<(), BenchError>> + Send;

    /// Publishes to [`TOPIC`].
    fn publish(&self, data: Bytes) -> impl Future<Output = Result<(), BenchError>> + Send;
}

/// Where a node puts the messages of others that it is given.
#[derive(Clone, Debug)]
pub struct Inbox {
    node: u32,
    messages: Arc<Messages>,
}

impl Inbox {
    /// The data of a message has come.
    pub fn take(&self, data: &[u8]) {
        let number = data.first_chunk().map(|number| u64::from_be_bytes(*number));
        self.messages.arrived(self.node, number.unwrap_or_default());
    }
}

/// The messages that are on their way, and how those before them fared.
struct Messages {
    nodes: u32,
    room: Arc<Semaphore>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    underway: HashMap<u64, Underway>,
    /// How long each took until it was everywhere.
    times: Vec<Duration>,
    /// What came twice, or was never published.
    surplus: u64,
}

struct Underway {
    began: Instant,
    /// A bit for each node.
    missing: u64,
    _room: OwnedSemaphorePermit,
}

impl Messages {
    fn new(nodes: u32) -> Self {
        Self {
            nodes,
            room: Arc::new(Semaphore::new(WINDOW)),
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room for one more message, and gives its data.
    async fn next(&self, number: u64, author: u32) -> Bytes {
        let room = self.room.clone().acquire_owned().await;
        let underway = Underway {
            began: Instant::now(),
            missing: ((1 << self.nodes) - 1) & !(1 << author),
            _room: room.expect("nobody closes it"),
        };
        self.lock().underway.insert(number, underway);
        let mut data = vec![0; MESSAGE];
        data[..8].copy_from_slice(&number.to_be_bytes());
        data.into()
    }

    fn arrived(&self, node: u32, number: u64) {
        let mut inner = self.lock();
        let message = inner.underway.get_mut(&number);
        let Some(message) = message.filter(|message| message.missing & 1 << node != 0) else {
            inner.surplus += 1;
            return;
        };
        message.missing &= !(1 << node);
        if message.missing == 0 {
            let took = message.began.elapsed();
            inner.times.push(took);
            inner.underway.remove(&number);
        }
    }

    /// Waits until all are everywhere, for a time. What came of those since the last time.
    async fn settled(&self, began: Instant) -> Figures {
        // Who is late is counted below.
        let _ = timeout(GRACE, self.room.acquire_many(WINDOW as u32)).await;
        let took = began.elapsed();
        let Inner {
            underway,
            times,
            surplus,
        } = std::mem::take(&mut *self.lock());
        let missing = underway
            .values()
            .map(|message| u64::from(message.missing.count_ones()));
        let others = u64::from(self.nodes - 1);
        let figures = Figures::timed(times, took);
        Figures {
            failed: missing.sum::<u64>() + surplus,
            bytes: figures.units * others * MESSAGE as u64,
            units: figures.units * others,
            ..figures
        }
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").finish_non_exhaustive()
    }
}

/// Runs the case.
pub(crate) async fn run<N: PubsubNode>(args: &PubsubArgs) -> Result<(), BenchError> {
    let messages = Arc::new(Messages::new(args.nodes));
    let nodes = connected::<N>(args, &messages).await?;
    sleep(SETTLE).await;
    let first = publish(&nodes, &messages, 0..u64::from(args.nodes), Duration::MAX).await?;
    if first.failed > 0 {
        return Err(BenchError::Lost(first.failed));
    }
    let mut input = Input::new();
    control::prepared(N::LIBRARY);
    input.line().await?;
    let numbers = u64::from(args.nodes)..u64::MAX;
    let time = Duration::from_secs_f64(args.seconds);
    control::result(&publish(&nodes, &messages, numbers, time).await?)?;
    while input.line().await? {}
    Ok(())
}

/// The nodes: with a connection between any two, or with one from each to the first.
async fn connected<N: PubsubNode>(args: &PubsubArgs, messages: &Arc<Messages>) -> Result<Vec<N>, BenchError> {
    let mut nodes: Vec<N> = Vec::new();
    for number in 0..args.nodes {
        let inbox = Inbox {
            node: number,
            messages: messages.clone(),
        };
        let node = N::start(&args.stack, args.signed, inbox).await?;
        let others = if args.full { nodes.len() } else { 1 };
        for other in nodes.iter().take(others) {
            node.dial(&other.addr()).await?;
        }
        nodes.push(node);
    }
    Ok(nodes)
}

/// Everybody publishes in turn, until the numbers or the time are over.
async fn publish<N: PubsubNode>(
    nodes: &[N],
    messages: &Messages,
    numbers: impl Iterator<Item = u64>,
    time: Duration,
) -> Result<Figures, BenchError> {
    let began = Instant::now();
    for (number, (author, node)) in numbers.zip((0..).zip(nodes).cycle()) {
        if began.elapsed() >= time {
            break;
        }
        let wait = timeout(GRACE, messages.next(number, author)).await;
        // Messages that got lost leave no room for more.
        let Ok(data) = wait else { break };
        node.publish(data).await?;
    }
    Ok(messages.settled(began).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_message_counts_once_it_is_everywhere_and_no_copy_does() {
        let (messages, began) = (Arc::new(Messages::new(3)), Instant::now());
        let inbox = |node| Inbox {
            node,
            messages: messages.clone(),
        };
        let first = messages.next(7, 0).await;
        assert_eq!(first.len(), MESSAGE);
        inbox(1).take(&first);
        inbox(2).take(&first);
        let figures = messages.settled(began).await;
        assert_eq!((figures.units, figures.failed), (2, 0));
        let second = messages.next(8, 0).await;
        for node in [0, 1, 1] {
            inbox(node).take(&second);
        }
        let figures = messages.settled(began).await;
        assert_eq!(
            (figures.units, figures.failed),
            (0, 3),
            "one is missing, two are too many"
        );
    }
}
