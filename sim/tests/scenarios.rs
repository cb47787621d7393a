//! Every scenario, smaller than its file has it, holds its floors; and the same seed is the same run.

use sinew_sim::{Report, Scenario, run};
use std::{path::Path, process::Command};

fn scenario(name: &str, nodes: usize, messages: usize) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let mut scenario = Scenario::read(&file.with_extension("toml")).expect("a scenario");
    (scenario.nodes, scenario.publish.messages) = (nodes, messages);
    scenario
}

fn holds(scenario: &Scenario) -> Report {
    let report = run(scenario, scenario.seed, |_| {});
    assert_eq!(report.failures, Vec::<String>::new(), "seed {}", scenario.seed);
    assert!(report.owed > 0);
    report
}

#[test]
fn a_thousand_nodes() {
    let mut scenario = scenario("calm", 1000, 5);
    scenario.publish.first_ms = 8_000;
    let report = holds(&scenario);
    assert_eq!(report.owed, 5 * 999);
}

#[test]
fn floodsub() {
    holds(&scenario("floodsub", 200, 10));
}

#[test]
fn nodes_come_and_go() {
    holds(&scenario("churn", 150, 50));
}

#[test]
fn a_partition_heals() {
    holds(&scenario("partition", 100, 120));
}

#[test]
fn one_in_five_is_silent() {
    holds(&scenario("silent", 150, 20));
}

#[test]
fn one_in_five_is_slow() {
    holds(&scenario("slow-region", 150, 20));
}

#[test]
fn sybils_are_out_of_every_mesh() {
    let report = holds(&scenario("sybils", 100, 400));
    assert!(
        report.meshes_clean_ms.is_some_and(|ms| ms > 0),
        "they had been in some"
    );
}

#[test]
fn nobody_forwards_what_is_forged() {
    let report = holds(&scenario("spam", 100, 20));
    assert!(report.counted.forged > 0);
}

#[test]
fn floods_of_gossip() {
    let report = holds(&scenario("gossip-floods", 100, 20));
    assert!(report.counted.broken_promises > 0);
}

#[test]
fn a_run_below_its_floor_fails() {
    let mut scenario = scenario("silent", 60, 5);
    scenario.group[0].share = 0.9;
    let report = run(&scenario, 1, |_| {});
    assert!(
        report.failures[0].contains("below the floor"),
        "{:?}",
        report.failures
    );
}

/// Each process, and each map of a process, has another order of hashes, and lies at other addresses.
#[test]
fn the_same_seed_is_the_same_run_in_every_process() {
    let small = scenario("churn", 40, 10);
    let of_seed = |seed| run(&small, seed, |_| {}).trace;
    assert_eq!(of_seed(1), of_seed(1));
    assert_ne!(of_seed(1), of_seed(2));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/small.toml");
    let printed = || {
        let program = Command::new(env!("CARGO_BIN_EXE_sinew-sim")).arg(&file).output();
        let output = program.expect("the program runs");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().last().expect("a hash").to_owned()
    };
    assert_eq!(printed(), printed());
}
