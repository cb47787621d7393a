//! One address of a dial: transport, upgrade, table.

use super::{Key, admit::Candidate};
use crate::{
    entry::Entry,
    shared::Shared,
    upgrade::{Stage, Upgrade},
};
use sinew_core::{AttemptError, DialRequest, Layer, Purpose, Role, UpgradeError};
use sinew_machine::Direction;
use sinew_runtime::{now, timeout};
use std::sync::Arc;

/// Dials one address within its own deadline. `connected` is called once the transport is through.
pub(super) async fn run(
    shared: &Arc<Shared>,
    key: &Key,
    candidate: &Candidate,
    connected: impl Fn(),
) -> Result<Arc<Entry>, AttemptError> {
    let stage = Arc::new(Stage::default());
    let place = shared.place(candidate.transport.descriptors());
    let place = place.map_err(|refused| AttemptError::Upgrade(refused.into()))?;
    let request = DialRequest::new(key.peer, key.purpose, place.scope().clone());
    let within = shared.parts().timeouts.outbound;
    let upgrade = Upgrade {
        shared: shared.clone(),
        direction: Direction::Outbound,
        role: match key.purpose {
            Purpose::Punch(role) => role,
            _ => Role::Dialer,
        },
        expected: key.peer,
        hidden: key.purpose == Purpose::Probe,
        transport: candidate.transport.name(),
        place,
        stage: stage.clone(),
        within,
    };
    let attempt = async {
        let link = candidate
            .transport
            .dial(&candidate.addr, request)
            .await
            .map_err(AttemptError::Transport)?;
        connected();
        upgrade.run(link).await.map_err(AttemptError::Upgrade)
    };
    let started = now();
    let upgraded = timeout(within, attempt).await;
    let upgraded = upgraded.unwrap_or_else(|_| Err(timed_out(&stage, within)));
    let outcome = upgraded.and_then(|upgraded| upgrade.establish(upgraded).map_err(AttemptError::Upgrade));
    let meter = &shared.parts().meter;
    meter.attempted(
        candidate.transport.name(),
        now() - started,
        outcome.as_ref().map(|_| ()),
    );
    outcome
}

fn timed_out(stage: &Stage, after: std::time::Duration) -> AttemptError {
    match stage.layer() {
        Layer::Transport => AttemptError::Timeout(after),
        layer => AttemptError::Upgrade(UpgradeError::Timeout { layer, after }),
    }
}
