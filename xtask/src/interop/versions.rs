//! Which library in which version each peer's program is built with: it says so when it starts.

use std::{collections::BTreeMap, thread};

use super::{
    cases::Case,
    node::{Node, StepError},
    peers::{Peer, Places},
    setup::Absent,
};

/// Of every peer of these tests. One that does not start has none here, and fails its tests.
pub(super) fn of(cases: &[Case<'_>], places: &Places, absent: &Absent) -> BTreeMap<String, String> {
    let sides = cases.iter().flat_map(Case::peers);
    let peers: BTreeMap<&str, &Peer> = sides.map(|peer| (peer.id.as_str(), peer)).collect();
    thread::scope(|scope| {
        let present = peers.into_iter().filter(|(id, _)| !absent.contains_key(*id));
        let asked: Vec<_> = present
            .map(|(id, peer)| (id, scope.spawn(move || version(peer, places))))
            .collect();
        let told = asked
            .into_iter()
            .filter_map(|(id, asked)| Some((id.to_owned(), asked.join().ok()?.ok()?)));
        told.collect()
    })
}

fn version(peer: &Peer, places: &Places) -> Result<String, StepError> {
    let mut command = peer.program(places);
    command.arg("control");
    let folder = places.output().join("versions").join(&peer.id);
    thread::scope(|scope| {
        let mut node = Node::start(scope, "peer", command, &folder)?;
        let version = node.version();
        node.stop().map(|()| version)
    })
}
