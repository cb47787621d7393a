//! One row after the other: a fresh target, honest peers, the attacker, and what is measured of them.

use crate::{
    Victim,
    control::Process,
    error::AttackError,
    pubsub,
    report::{Figures, Held},
    rows::{self, ROWS, Row, Serves, Stack},
    system,
    table::Table,
};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{
    process::Command,
    time::{interval, sleep},
};

/// What any answer but an attack's may take.
const SOON: Duration = Duration::from_secs(60);

/// Honest load before the first measurement, so that the start is no cold one.
const WARM: Duration = Duration::from_secs(3);

/// From the end of an attack to the last measurement.
const AFTER: Duration = Duration::from_secs(10);

/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(100);

/// Longer than any attack goes on beyond its seconds.
const ATTACK: Duration = Duration::from_secs(120);

/// What is to be run, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) victim: Victim,
    /// Each row over its own if there is none.
    pub(crate) stack: Option<Stack>,
    pub(crate) seconds: u64,
    pub(crate) json: bool,
}

/// Runs the rows whose name contains `filter`, and says whether all passed; of the rust peer, whether all could be run:
/// there, faults are what a row is run for. One that could not is told of, and the next one follows.
pub(crate) async fn run(filter: &str, plan: Plan) -> Result<bool, AttackError> {
    let rows: Vec<(&Row, Stack)> = ROWS
        .iter()
        .filter(|row| row.name.contains(filter))
        .filter_map(|row| row.stack(plan.stack).map(|stack| (row, stack)))
        .collect();
    if rows.is_empty() {
        return Err(AttackError::NoRow(filter.to_owned()));
    }
    let mut table = (!plan.json).then(Table::default);
    let (mut faulty, mut broken, total) = (0, 0, rows.len());
    for (row, stack) in rows {
        match attack(row, stack, plan).await {
            Ok(figures) => faulty += usize::from(has_faults(row, &figures, table.as_mut())),
            Err(error) => {
                broken += 1;
                eprintln!("{}: not run to its end: {error}", row.name);
            }
        }
    }
    let passed = total - faulty - broken;
    println!("\n{passed} of {total} rows without a fault, {broken} not run to their end");
    Ok(broken == 0 && (faulty == 0 || plan.victim == Victim::Rust))
}

/// Prints the figures of a row, and whether something is wrong with them.
fn has_faults(row: &Row, figures: &Figures, table: Option<&mut Table>) -> bool {
    let faults = figures.faults(row.cut);
    match table {
        Some(table) => print!("{}", table.lines(row, figures)),
        None => println!("{}", json!({ "figures": figures, "faults": faults })),
    }
    for fault in &faults {
        eprintln!("{}: {fault}", row.name);
    }
    !faults.is_empty()
}

async fn attack(row: &'static Row, stack: Stack, plan: Plan) -> Result<Figures, AttackError> {
    let Plan { victim, seconds, .. } = plan;
    let (mut target, address) = target_of(row, stack, victim).await?;
    system::pin(false);
    let mut role = Process::ours(&["honest", &address])?;
    if row.serves != Serves::Nothing {
        role.arg("--pubsub");
    }
    let mut honest = Process::start("honest", role).await?;
    sleep(WARM).await;
    let before = held(&mut target, victim).await?;
    let (stack, seconds_text) = (rows::name(&stack), seconds.to_string());
    let role = Process::ours(&["--stack", &stack, "attacker", row.name, &address, &seconds_text])?;
    let mut attacker = Process::start("attacker", role).await?;
    let (started, busy) = (Instant::now(), system::cpu(target.pid())?);
    let (attack, peak) = tokio::join!(
        attacker.ask(json!({ "do": "attack" }), ATTACK),
        peak(target.pid(), Duration::from_secs(seconds)),
    );
    let used = system::cpu(target.pid()).unwrap_or(busy) - busy;
    let cpu_percent = 100.0 * used.as_secs_f64() / started.elapsed().as_secs_f64();
    attacker.end().await;
    sleep(AFTER).await;
    let report = honest.ask(json!({ "do": "report" }), SOON).await?;
    let (attack, alive) = (attack?, target.alive());
    let sent = attack["sent"].as_f64().filter(|sent| *sent > 0.0);
    let after = settled(&mut target, victim, &before).await?;
    let mut stats = stats(&mut target, victim).await?;
    honest.end().await;
    target.end().await;
    Ok(Figures {
        row: row.name,
        stack,
        goal: row.goal,
        alive,
        before,
        peak: peak.max(before.resident),
        after,
        cpu_percent,
        cpu_each_us: sent.map(|sent| used.as_secs_f64() * 1e6 / sent),
        counted: stats["counted"].take(),
        judged: stats["pubsub"].take(),
        attack,
        honest: report,
    })
}

/// The greatest resident memory while the attack is likely to last.
async fn peak(pid: u32, lasting: Duration) -> u64 {
    let (mut greatest, mut clock, ends) = (0, interval(SAMPLE), Instant::now() + lasting);
    while Instant::now() < ends {
        clock.tick().await;
        greatest = greatest.max(system::resident(pid).unwrap_or(0));
    }
    greatest
}

/// What the target holds once the last visitor is gone, looked at again for a second.
async fn settled(target: &mut Process, victim: Victim, before: &Held) -> Result<Held, AttackError> {
    let mut looks = 10;
    loop {
        let held = held(target, victim).await?;
        looks -= 1;
        let more = held.descriptors > before.descriptors || held.tasks > before.tasks;
        if !more || looks == 0 {
            return Ok(held);
        }
        sleep(SAMPLE).await;
    }
}

/// What a target holds at the moment.
pub(crate) async fn held(target: &mut Process, victim: Victim) -> Result<Held, AttackError> {
    let stats = stats(target, victim).await?;
    Ok(Held {
        resident: system::resident(target.pid())?,
        descriptors: system::descriptors(target.pid())?,
        connections: stats["connections"].as_u64(),
        tasks: stats["tasks"].as_u64(),
    })
}

/// What a target of ours says of itself.
async fn stats(target: &mut Process, victim: Victim) -> Result<Value, AttackError> {
    match victim {
        Victim::Ours => target.ask(json!({ "do": "stats" }), SOON).await,
        Victim::Rust => Ok(Value::Null),
    }
}

/// The target of a row, ready to be attacked.
async fn target_of(row: &Row, stack: Stack, victim: Victim) -> Result<(Process, String), AttackError> {
    let command = match victim {
        Victim::Ours => Process::ours(&["target", "--serves", &rows::name(&row.serves)])?,
        Victim::Rust => rust_peer(stack, row.serves),
    };
    let (mut target, address) = start_target(command, stack).await?;
    if victim == Victim::Rust && row.serves != Serves::Nothing {
        let follow = json!({ "do": "subscribe", "topic": pubsub::TOPIC });
        target.ask(follow, SOON).await?;
    }
    Ok((target, address))
}

/// Starts a target on the first core, and has it listen.
pub(crate) async fn start_target(command: Command, stack: Stack) -> Result<(Process, String), AttackError> {
    system::pin(true);
    let mut target = Process::start("target", command).await?;
    let listen = json!({ "do": "listen", "addr": stack.addr() });
    let answer = target.ask(listen, SOON).await?;
    let address = answer["addrs"][0].as_str().map(str::to_owned);
    let address = address.ok_or_else(|| AttackError::Address(answer.to_string()))?;
    Ok((target, address))
}

/// The program that `cargo xtask interop setup --peer rust` builds.
fn rust_peer(stack: Stack, serves: Serves) -> Command {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(root.join("interop/.cache/rust/release/interop-peer-rust"));
    command.args(["control", "--stack", stack.of_peer()]);
    if serves != Serves::Nothing {
        command.args(["--pubsub", "gossipsub"]);
    }
    command
}
