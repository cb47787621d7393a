//! Events and facts: news from the host and its services, by Rust type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::{broadcast, watch};

/// What happened once. A subscriber that falls behind loses the oldest and is told how many.
pub trait Event: Clone + Send + Sync + 'static {}

/// What is the case now. Only the newest value counts.
pub trait Fact: Clone + Send + Sync + Default + 'static {}

/// Events kept for a slow subscriber: a few for each of a hundred connections that come at once.
const CAPACITY: usize = 256;

/// Carries events and facts from whoever knows to whoever asks. Publishing never waits.
#[derive(Default)]
pub struct Bus {
    events: RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    facts: RwLock<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    ended: AtomicBool,
    /// Events that slow subscribers lost.
    dropped: Arc<AtomicU64>,
}

impl Bus {
    /// Tells all subscribers of `E`. `make` is called only when there is one.
    pub fn publish<E: Event>(&self, make: impl FnOnce() -> E) {
        let events = self
            .events
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let sender = events
            .get(&TypeId::of::<E>())
            .and_then(|any| any.downcast_ref::<broadcast::Sender<E>>());
        if let Some(sender) = sender.filter(|sender| sender.receiver_count() > 0) {
            // The last subscriber may have left since: nobody is there to miss it.
            let _ = sender.send(make());
        }
    }

    /// Tells all subscribers and observers that nothing more comes. What was published before still arrives.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        for map in [&self.events, &self.facts] {
            map.write()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clear();
        }
    }

    /// Receives every event of type `E` from now on.
    #[must_use]
    pub fn subscribe<E: Event>(&self) -> Subscription<E> {
        let mut events = self
            .events
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.ended.load(Ordering::SeqCst) {
            let receiver = broadcast::Sender::new(1).subscribe();
            let dropped = self.dropped.clone();
            return Subscription { receiver, dropped };
        }
        let any = events
            .entry(TypeId::of::<E>())
            .or_insert_with(|| Box::new(broadcast::Sender::<E>::new(CAPACITY)));
        let sender = any
            .downcast_ref::<broadcast::Sender<E>>()
            .expect("the entry of E holds a sender of E");
        Subscription {
            receiver: sender.subscribe(),
            dropped: self.dropped.clone(),
        }
    }

    /// Events that slow subscribers have lost since the node started, as far as they have learned of it.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Changes the fact `F`; observers wake if `change` says that it changed something.
    pub fn update<F: Fact>(&self, change: impl FnOnce(&mut F) -> bool) {
        self.fact::<F>().send_if_modified(change);
    }

    /// Follows the fact `F`.
    #[must_use]
    pub fn observe<F: Fact>(&self) -> Observer<F> {
        Observer {
            receiver: self.fact::<F>().subscribe(),
        }
    }

    fn fact<F: Fact>(&self) -> Arc<watch::Sender<F>> {
        let key = TypeId::of::<F>();
        let known = self
            .facts
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(sender) = known
            .get(&key)
            .and_then(|any| any.downcast_ref::<Arc<watch::Sender<F>>>())
        {
            return sender.clone();
        }
        drop(known);
        let mut facts = self
            .facts
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.ended.load(Ordering::SeqCst) {
            return Arc::new(watch::Sender::new(F::default()));
        }
        let any = facts
            .entry(key)
            .or_insert_with(|| Box::new(Arc::new(watch::Sender::new(F::default()))));
        any.downcast_ref::<Arc<watch::Sender<F>>>()
            .expect("the entry of F holds a sender of F")
            .clone()
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

/// Events of one type, in order.
#[derive(Debug)]
pub struct Subscription<E> {
    receiver: broadcast::Receiver<E>,
    dropped: Arc<AtomicU64>,
}

impl<E: Event> Subscription<E> {
    /// Waits for the next event. `Ok(None)` when the node has ended.
    ///
    /// # Errors
    /// The number of events that were lost because they were not fetched in time; the next call goes on after them.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<E>, Lagged> {
        match self.receiver.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                self.dropped.fetch_add(lost, Ordering::Relaxed);
                Err(Lagged(lost))
            }
        }
    }
}

/// That many events were lost because their subscriber was slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} events were lost because they were not fetched in time")]
pub struct Lagged(pub u64);

/// The newest value of a fact.
#[derive(Clone, Debug)]
pub struct Observer<F> {
    receiver: watch::Receiver<F>,
}

impl<F: Fact> Observer<F> {
    /// The value now.
    #[must_use]
    pub fn now(&mut self) -> F {
        self.receiver.borrow_and_update().clone()
    }

    /// Waits until the value differs from the one last seen. `None` when the node has ended.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<F> {
        self.receiver.changed().await.ok()?;
        Some(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bus, Event, Fact};
    use futures_util::FutureExt;

    #[derive(Clone, PartialEq, Debug)]
    struct News(u32);
    impl Event for News {}
    #[derive(Clone, PartialEq, Default, Debug)]
    struct State(u32);
    impl Fact for State {}

    #[test]
    fn slow_subscribers_lose_the_oldest_and_learn_how_many() {
        let bus = Bus::default();
        bus.publish(|| -> News { panic!("nobody asked for it") });
        let mut news = bus.subscribe::<News>();
        (0..300).for_each(|n| bus.publish(|| News(n)));
        assert_eq!(
            news.next()
                .now_or_never()
                .expect("ready")
                .map_err(|lagged| lagged.0),
            Err(44)
        );
        assert_eq!(bus.dropped(), 44);
        assert_eq!(
            news.next().now_or_never().expect("ready").expect("not lagged"),
            Some(News(44))
        );
    }

    #[test]
    fn an_ended_bus_tells_those_who_wait_and_those_who_come_late() {
        let bus = Bus::default();
        let (mut news, mut state) = (bus.subscribe::<News>(), bus.observe::<State>());
        bus.publish(|| News(1));
        bus.end();
        let mut late = bus.subscribe::<News>();
        for subscription in [&mut news, &mut late] {
            while let Some(News(n)) = subscription
                .next()
                .now_or_never()
                .expect("ready")
                .expect("not lagged")
            {
                assert_eq!(n, 1, "what was published before the end still arrives");
            }
        }
        assert_eq!(state.changed().now_or_never().expect("ready"), None);
        assert_eq!(
            bus.observe::<State>().changed().now_or_never().expect("ready"),
            None
        );
    }

    #[test]
    fn observers_see_the_newest_value_only() {
        let bus = Bus::default();
        let mut state = bus.observe::<State>();
        for n in 1..=3 {
            bus.update(|state: &mut State| {
                state.0 = n;
                true
            });
        }
        assert_eq!(state.changed().now_or_never().expect("ready"), Some(State(3)));
        assert!(state.changed().now_or_never().is_none());
    }
}
