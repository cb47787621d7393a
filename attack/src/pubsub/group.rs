//! Honest peers that publish and subscribe: two of them publish, and all others are to hear of it through the target.

use super::TOPIC;
use crate::{error::AttackError, node, node::Place, report::quantile};
use bytes::Bytes;
use serde_json::{Value, json};
use sinew_core::{DialOptions, Host};
use sinew_gossipsub::{Config, Event, Gossipsub, Received, Subscription, Topic};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    task::JoinSet,
    time::{interval, sleep, timeout},
};

/// Peers of the group. All have one address, and of more than ten of one address a target thinks ill.
const MEMBERS: usize = 8;

/// Those that publish.
const PUBLISHERS: usize = 2;

/// The time between two messages of one publisher: ten a second of both.
const PUBLISH: Duration = Duration::from_millis(200);

/// The data of a message.
const BYTES: usize = 1 << 10;

/// How long a message may take until it is lost.
const LATE: Duration = Duration::from_secs(10);

/// Between two looks for something that there is no event for.
const LOOK: Duration = Duration::from_millis(20);

/// The honest peers of a topic, each of which knows the target alone.
pub(crate) struct Group {
    hosts: Vec<Host>,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What all of them look at.
struct Shared {
    topic: Topic,
    began: Instant,
    authors: BTreeSet<Bytes>,
    ends: AtomicBool,
    log: Mutex<Log>,
}

/// What happened so far.
#[derive(Default)]
struct Log {
    published: u64,
    /// In ms, of all messages at all members.
    took: Vec<f64>,
    repeated: u64,
}

impl Group {
    /// Starts the peers, and waits until the target is in the mesh of each. From then on they publish.
    pub(crate) async fn start(place: &Place) -> Result<Self, AttackError> {
        let topic = Topic::new(TOPIC)?;
        let (mut hosts, mut members) = (Vec::new(), Vec::new());
        for _ in 0..MEMBERS {
            let mut builder = node::builder()?;
            builder.add(sinew_identify::Config::default());
            let gossipsub = builder.add(Config::default());
            let host = builder.start().await?;
            let subscription = gossipsub.subscribe(&topic)?;
            host.dial(place.addr.clone(), DialOptions::default()).await?;
            hosts.push(host);
            members.push((gossipsub, subscription));
        }
        for (gossipsub, _) in &members {
            while gossipsub.mesh(&topic).await.is_empty() {
                sleep(LOOK).await;
            }
        }
        let author = |host: &Host| Bytes::from(host.peer_id().to_bytes());
        let shared = Arc::new(Shared {
            topic,
            began: Instant::now(),
            authors: hosts.iter().take(PUBLISHERS).map(author).collect(),
            ends: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for (number, (gossipsub, subscription)) in (0..).zip(members) {
            tasks.spawn(shared.clone().hear(subscription));
            if number < PUBLISHERS {
                tasks.spawn(shared.clone().publish(gossipsub, number));
            }
        }
        Ok(Self { hosts, shared, tasks })
    }

    /// Ends publishing, waits for what is on its way, and gives the figures.
    pub(crate) async fn report(&self) -> Value {
        self.shared.ends.store(true, Ordering::Relaxed);
        sleep(2 * PUBLISH).await;
        let expected = self.shared.log().published * (MEMBERS as u64 - 1);
        let arrived = async {
            while (self.shared.log().took.len() as u64) < expected {
                sleep(LOOK).await;
            }
        };
        // Those that are too late are lost.
        let _ = timeout(LATE, arrived).await;
        let log = self.shared.log();
        json!({
            "expected": expected,
            "delivered": log.took.len(),
            "repeated": log.repeated,
            "p50_ms": quantile(&log.took, 0.5),
            "p99_ms": quantile(&log.took, 0.99),
            "members": self.hosts.iter().map(|host| host.peer_id().to_string()).collect::<Vec<_>>(),
        })
    }

    /// Ends the peers.
    pub(crate) async fn end(self) {
        drop(self.tasks);
        for host in self.hosts {
            host.shutdown(Duration::ZERO).await;
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes until that is to end. A message that cannot be published is one that does not arrive.
    async fn publish(self: Arc<Self>, gossipsub: Gossipsub, first: usize) {
        let (mut clock, mut number) = (interval(PUBLISH), first as u64);
        while !self.ends.load(Ordering::Relaxed) {
            clock.tick().await;
            self.log().published += 1;
            let data = data(number, self.began.elapsed());
            let _ = gossipsub.publish(&self.topic, data).await;
            number += PUBLISHERS as u64;
        }
    }

    /// Notes the messages of the group. Others are the attackers'.
    async fn hear(self: Arc<Self>, mut subscription: Subscription) {
        let mut known = BTreeSet::new();
        loop {
            match subscription.next().await {
                Ok(Some(Event::Message(received))) => self.arrived(&received, &mut known),
                Ok(None) => return,
                // What was lost here does not count as delivered.
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }

    fn arrived(&self, received: &Received, known: &mut BTreeSet<u64>) {
        let author = received.message.from().unwrap_or_default();
        if !self.authors.contains(author) {
            return;
        }
        let Some((number, published)) = tag(received.message.data()) else {
            return;
        };
        let took = self.began.elapsed().saturating_sub(published);
        if known.insert(number) {
            self.log().took.push(took.as_secs_f64() * 1e3);
        } else {
            self.log().repeated += 1;
        }
    }
}

/// The data of a message: its number, and when it was published.
fn data(number: u64, at: Duration) -> Vec<u8> {
    let mut data = number.to_be_bytes().to_vec();
    data.extend(u64::try_from(at.as_micros()).unwrap_or(u64::MAX).to_be_bytes());
    data.resize(BYTES, 0);
    data
}

fn tag(data: &[u8]) -> Option<(u64, Duration)> {
    let (number, rest) = data.split_first_chunk()?;
    let at = u64::from_be_bytes(*rest.first_chunk()?);
    Some((u64::from_be_bytes(*number), Duration::from_micros(at)))
}

#[cfg(test)]
mod tests {
    use super::{BYTES, data, tag};
    use std::time::Duration;

    #[test]
    fn messages_say_which_they_are_and_since_when() {
        let at = Duration::from_micros(1_234_567);
        let data = data(7, at);
        assert_eq!((data.len(), tag(&data)), (BYTES, Some((7, at))));
        assert_eq!(tag(&data[..15]), None);
    }
}
