//! What holds in every run, whatever happens: looked at when the network has come to rest.

use crate::run::Run;
use sinew_machine::Instant;
use std::{collections::BTreeSet, time::Duration};

/// The network is at rest when no message of an honest node was on its way for so long.
const REST: Duration = Duration::from_secs(3);

/// Members of meshes: who has whom.
type Members = BTreeSet<(usize, usize)>;

/// What does not hold; `before` is what was one-sided some heartbeats ago.
pub(crate) fn failures(run: &mut Run<'_>, before: &Members) -> Vec<String> {
    let mut failures = wrongs(run);
    let lasting: Vec<_> = one_sided(run).intersection(before).copied().collect();
    if let Some((node, other)) = lasting.first() {
        let count = lasting.len();
        failures.push(format!(
            "{count} members of meshes have not who has them: {node} has {other}"
        ));
    }
    failures.extend(too_large(run));
    let members = members(run);
    failures.extend(strangers(run, &members));
    failures
}

fn members(run: &mut Run<'_>) -> Members {
    let nodes = 0..run.plan.nodes.len();
    let of_node = |node| run.mesh(node).into_iter().map(move |other| (node, other));
    nodes.flat_map(of_node).collect()
}

/// A mesh goes both ways among those who keep to the protocol: who has whom, and not the other way round.
pub(crate) fn one_sided(run: &mut Run<'_>) -> Members {
    let mut members = members(run);
    let all = members.clone();
    let is_fair = |node: usize| !run.plan.nodes[node].behaviour.is_attack();
    members.retain(|(node, other)| is_fair(*node) && is_fair(*other) && !all.contains(&(*other, *node)));
    members
}

/// What never happens.
fn wrongs(run: &Run<'_>) -> Vec<String> {
    let tally = &run.network.world.tally;
    let rested = (Instant::ZERO + run.scenario.over()) - tally.last_copy;
    let wrongs = [
        (tally.forged_sent, "invalid messages were sent by honest nodes"),
        (tally.forged_accepted, "invalid messages were accepted"),
        (tally.accepted_twice, "messages were accepted twice"),
        (
            tally.honest_cut,
            "streams of honest nodes were cut by honest nodes",
        ),
        (
            u64::from(rested < REST),
            "time too short: messages are on their way at the end",
        ),
    ];
    let happened = wrongs.iter().filter(|(count, _)| *count > 0);
    happened.map(|(count, what)| format!("{count} {what}")).collect()
}

/// Who is in a mesh is connected.
fn strangers(run: &Run<'_>, members: &Members) -> Option<String> {
    let is_stranger =
        |(node, other): &&(usize, usize)| !run.network.neighbours(*node).any(|near| near == *other);
    let count = members.iter().filter(is_stranger).count();
    (count > 0).then(|| format!("{count} members of meshes are not connected"))
}

/// A mesh has no more members than it may have.
fn too_large(run: &mut Run<'_>) -> Option<String> {
    let high = run.mesh_high();
    let count = (0..run.plan.nodes.len())
        .filter(|node| run.mesh(*node).len() > high)
        .count();
    (count > 0).then(|| format!("{count} meshes have more than {high} members"))
}
