//! The scale run: many connections to one host from another process, streams on each, and all closed again.

use crate::{
    Victim,
    control::Process,
    error::AttackError,
    orchestrate::{held, start_target},
    report::{Held, over},
    rows::Stack,
    system,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// What connecting or closing all of them may take.
const LONG: Duration = Duration::from_secs(600);

/// How long the connections are left alone, and the target after they are closed.
const PAUSE: Duration = Duration::from_secs(10);

/// Runs it, and says whether every connection was made, served and forgotten.
pub(crate) async fn run(connections: usize, json: bool) -> Result<bool, AttackError> {
    let command = Process::ours(&["target", "--scale"])?;
    let (mut target, address) = start_target(command, Stack::TcpNoiseYamux).await?;
    system::pin(false);
    let mut many = Process::start("many", Process::ours(&["many", &address])?).await?;
    let before = held(&mut target, Victim::Ours).await?;
    let began = Instant::now();
    let made = many
        .ask(json!({ "do": "connect", "count": connections }), LONG)
        .await?;
    let connecting = began.elapsed();
    sleep(PAUSE).await;
    let idle = held(&mut target, Victim::Ours).await?;
    let echoed = many.ask(json!({ "do": "echo" }), LONG).await?;
    let used = held(&mut target, Victim::Ours).await?;
    many.ask(json!({ "do": "close" }), LONG).await?;
    sleep(PAUSE).await;
    let after = held(&mut target, Victim::Ours).await?;
    many.end().await;
    target.end().await;
    let looks = [
        ("before", before),
        ("idle", idle),
        ("after streams", used),
        ("10 s after all closed", after),
    ];
    print(&looks, json);
    let counted = made == json!(connections) && echoed == json!(connections);
    let forgotten = after.connections == Some(0)
        && after.tasks <= before.tasks
        && after.descriptors <= before.descriptors;
    println!(
        "{made} of {connections} connected in {:.1} s, {echoed} echoed, {}",
        connecting.as_secs_f64(),
        if forgotten {
            "nothing left"
        } else {
            "something LEFT"
        }
    );
    let passed = counted && forgotten;
    println!("{} passed, {} failed", u8::from(passed), u8::from(!passed));
    Ok(passed)
}

fn print(looks: &[(&str, Held); 4], json: bool) {
    if json {
        let looks: Vec<Value> = looks
            .iter()
            .map(|(when, held)| json!({ "when": when, "held": held }))
            .collect();
        return println!("{}", json!(looks));
    }
    println!(
        "{:<24} {:>9} {:>12} {:>8} {:>12}",
        "", "RSS MiB", "connections", "tasks", "descriptors"
    );
    for (when, held) in looks {
        println!(
            "{when:<24} {:>9.1} {:>12} {:>8} {:>12}",
            over(held.resident, 0),
            held.connections.unwrap_or(0),
            held.tasks.unwrap_or(0),
            held.descriptors
        );
    }
}
