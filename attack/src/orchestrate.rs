//! One row after the other: a fresh target, honest peers, the attacker, and what is measured of them.

use crate::{
    Victim,
    control::Process,
    error::AttackError,
    report::{self, Figures, Held},
    rows::{Over, ROWS, Row},
    system,
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

/// Runs the rows whose name contains `filter`, and says whether all passed.
pub(crate) async fn run(filter: &str, victim: Victim, seconds: u64, json: bool) -> Result<bool, AttackError> {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.name.contains(filter)).collect();
    if rows.is_empty() {
        return Err(AttackError::NoRow(filter.to_owned()));
    }
    if !json {
        report::head();
    }
    let (mut passed, total) = (0, rows.len());
    for row in rows {
        let figures = attack(row, victim, seconds).await?;
        let faults = figures.faults(row.cut);
        passed += usize::from(faults.is_empty());
        if json {
            println!("{}", json!({ "figures": figures, "faults": faults }));
        } else {
            report::line(row, &figures, &faults);
        }
    }
    println!("{passed} passed, {} failed", total - passed);
    Ok(passed == total)
}

async fn attack(row: &'static Row, victim: Victim, seconds: u64) -> Result<Figures, AttackError> {
    let (mut target, address) = start_target(victim, false, row.over).await?;
    system::pin(false);
    let mut honest = Process::start("honest", Process::ours(&["honest", &address])?).await?;
    sleep(WARM).await;
    let before = held(&mut target, victim).await?;
    let role = Process::ours(&["attacker", row.name, &address, &seconds.to_string()])?;
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
    let alive = target.alive();
    let after = settled(&mut target, victim, &before).await?;
    honest.end().await;
    target.end().await;
    Ok(Figures {
        row: row.name,
        goal: row.goal,
        alive,
        before,
        peak: peak.max(before.resident),
        after,
        cpu_percent,
        attack: attack?,
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
    let stats = match victim {
        Victim::Ours => target.ask(json!({ "do": "stats" }), SOON).await?,
        Victim::Rust => Value::Null,
    };
    Ok(Held {
        resident: system::resident(target.pid())?,
        descriptors: system::descriptors(target.pid())?,
        connections: stats["connections"].as_u64(),
        tasks: stats["tasks"].as_u64(),
    })
}

/// Starts a target on the first core, and has it listen.
pub(crate) async fn start_target(
    victim: Victim,
    scale: bool,
    over: Over,
) -> Result<(Process, String), AttackError> {
    let command = match (victim, scale) {
        (Victim::Ours, false) => Process::ours(&["target"])?,
        (Victim::Ours, true) => Process::ours(&["target", "--scale"])?,
        (Victim::Rust, _) => Command::new(rust_peer()),
    };
    system::pin(true);
    let mut target = Process::start("target", command).await?;
    let listen = json!({ "do": "listen", "addr": over.addr() });
    let answer = target.ask(listen, SOON).await?;
    let address = answer["addrs"][0].as_str().map(str::to_owned);
    let address = address.ok_or_else(|| AttackError::Address(answer.to_string()))?;
    Ok((target, address))
}

/// Where `cargo xtask interop setup --peer rust` puts it.
fn rust_peer() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    root.join("interop/.cache/rust/release/interop-peer-rust")
}
