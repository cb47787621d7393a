//! Scores: a node that looks at every message before it goes on, and what it thinks of who sends nonsense. In one program.
//!
//! `cargo run -p sinew-examples --bin scores`

use sinew::{
    Host, Keypair, Node, NodeBuilder,
    gossipsub::{
        Config, Event, Gossipsub, Params, ParamsError, Received, ScoreParams, Topic, TopicParams, TopicScore,
        Validation,
    },
};
use std::{error::Error, sync::Arc, time::Duration};

/// How many messages each of them sends.
const MESSAGES: u64 = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let topic = Topic::new("temperatures")?;
    let mut builder = node()?;
    let judging = builder.add(with_scores(&topic)?);
    let judge = builder.start().await?;
    judging.set_validator(&topic, |received: Arc<Received>| async move {
        let text = std::str::from_utf8(received.message.data()).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(_) => Validation::Accept,
            Err(_) => Validation::Reject,
        }
    });
    let mut subscription = judging.subscribe(&topic)?;

    let (station, measuring) = sender(&judge, &topic).await?;
    let (prankster, joking) = sender(&judge, &topic).await?;
    for degree in 0..MESSAGES {
        measuring.publish(&topic, format!("{degree}.5")).await?;
        joking.publish(&topic, format!("{degree} monkeys")).await?;
    }

    let mut accepted = 0;
    while accepted < MESSAGES {
        if let Some(Event::Message(received)) = subscription.next().await? {
            println!("{} degrees", String::from_utf8_lossy(received.message.data()));
            accepted += 1;
        }
    }
    while judging
        .counts()
        .await
        .is_some_and(|counts| counts.rejected < MESSAGES)
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (peer, score) in judging.scores().await {
        let name = match peer {
            peer if peer == station.peer_id() => "the station",
            _ => "the prankster",
        };
        println!("{name} has a score of {score:.1}");
    }
    for node in [judge, station, prankster] {
        node.shutdown(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn node() -> Result<NodeBuilder, Box<dyn Error>> {
    Ok(Node::builder(Keypair::generate()).listen("/ip4/127.0.0.1/tcp/0")?)
}

/// Nobody is judged unless both are set: the scores over all topics, and those of the topic.
fn with_scores(topic: &Topic) -> Result<Config, ParamsError> {
    let mut about = TopicParams::default();
    about.score = Some(TopicScore::default());
    let mut params = Params::default();
    params.score = Some(ScoreParams::default());
    params.topics.insert(topic.clone(), about);
    Config::default().params(params)
}

/// A node that publishes only: whoever brings valid messages rises, whoever brings invalid ones falls.
async fn sender(judge: &Host, topic: &Topic) -> Result<(Host, Gossipsub), Box<dyn Error>> {
    let mut builder = node()?;
    let gossipsub = builder.add(Config::default());
    let node = builder.start().await?;
    node.connect(judge.listen_addrs()).await?;
    gossipsub.wait_for_peers(topic, 1).await?;
    Ok((node, gossipsub))
}
