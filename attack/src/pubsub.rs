//! Publish and subscribe in a run: the topics, what the target makes of gossipsub, and how its peers were judged.

mod group;

pub(crate) use group::Group;

use crate::{error::AttackError, rows::Serves};
use serde_json::{Value, json};
use sinew_gossipsub::{
    Config, Gossipsub, Handled, InvalidPartial, Params, PartialMode, PartialParams, ReceivedPartial,
    ScoreParams, Subscription, Topic, TopicParams, TopicScore,
};
use sinew_host::HostBuilder;
use sinew_identity::PeerId;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::interval};

/// What honest peers publish to.
pub(crate) const TOPIC: &str = "honest";

/// Where messages come in parts.
pub(crate) const PARTS: &str = "parts";

/// The most that a peer is worth for being in the mesh, and for what it brings first: too little to make up for misuse.
const MERIT: f64 = 5.0;

/// Between two looks at the scores of peers.
const LOOK: Duration = Duration::from_millis(100);

/// Gossipsub of the target: it follows its topics, and notes the worst that each peer was thought of.
pub(crate) struct Served {
    gossipsub: Gossipsub,
    worst: Arc<Mutex<BTreeMap<PeerId, f64>>>,
    _tasks: JoinSet<()>,
}

/// Adds to the target what a row wants it to serve.
pub(crate) fn serve(serves: Serves, builder: &mut HostBuilder) -> Result<Option<Served>, AttackError> {
    if serves == Serves::Nothing {
        return Ok(None);
    }
    let partial = serves == Serves::Partial;
    let config = Config::default().partial_handler(judge);
    let gossipsub = builder.add(config.params(params(partial)?)?);
    let mut tasks = JoinSet::new();
    for topic in [TOPIC, PARTS].into_iter().take(1 + usize::from(partial)) {
        tasks.spawn(listen(gossipsub.subscribe(&Topic::new(topic)?)?));
    }
    let worst = Arc::default();
    tasks.spawn(watch(gossipsub.clone(), Arc::clone(&worst)));
    Ok(Some(Served {
        gossipsub,
        worst,
        _tasks: tasks,
    }))
}

/// The defaults, with peers judged as an application does that knows no rate of messages: without P3, which is against who
/// brings too little. All honest peers of a run get all they know from the target.
fn params(partial: bool) -> Result<Params, AttackError> {
    let mut score = TopicScore::default();
    score.time_in_mesh_quantum = Duration::from_secs(10);
    score.time_in_mesh_cap = MERIT;
    score.first_message_deliveries_cap = MERIT;
    let mut about = TopicParams::default();
    about.score = Some(score);
    let mut params = Params::default();
    params.score = Some(ScoreParams::default());
    for topic in [TOPIC, PARTS] {
        params.topics.insert(Topic::new(topic)?, about.clone());
    }
    if partial {
        let mut partial = PartialParams::default();
        partial.topics.insert(Topic::new(PARTS)?, PartialMode::Request);
        params.partial = Some(partial);
    }
    Ok(params)
}

/// Knows of no group, so that parts of all of them are made up.
async fn judge(received: Arc<ReceivedPartial>) -> Handled {
    match received.partial.message {
        Some(_) => Err(InvalidPartial),
        None => Ok(None),
    }
}

/// Takes in the messages of a topic: those that came too fast were lost to the target alone.
async fn listen(mut subscription: Subscription) {
    while !matches!(subscription.next().await, Ok(None)) {}
}

async fn watch(gossipsub: Gossipsub, worst: Arc<Mutex<BTreeMap<PeerId, f64>>>) {
    let mut clock = interval(LOOK);
    loop {
        clock.tick().await;
        for (peer, score) in gossipsub.scores().await {
            let mut worst = worst.lock().unwrap_or_else(PoisonError::into_inner);
            let known = worst.entry(peer).or_insert(score);
            *known = known.min(score);
        }
    }
}

impl Served {
    /// How peers were judged, and what was counted.
    pub(crate) async fn told(&self) -> Value {
        let counts = self.gossipsub.counts().await.unwrap_or_default();
        let graylist = ScoreParams::default().thresholds.graylist;
        let worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        let below = worst.iter().filter(|(_, score)| **score < 0.0);
        json!({
            "lowest": worst.values().copied().reduce(f64::min),
            "graylisted": worst.values().filter(|score| **score < graylist).count(),
            "below_zero": below.map(|(peer, _)| peer.to_string()).collect::<Vec<_>>(),
            "counts": format!("{counts:?}"),
        })
    }
}
