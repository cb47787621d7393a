//! A connection of quinn as the host meets it: streams, their codes, and how it ends.

mod connection;
mod flow;
mod payload;
mod readers;
mod reason;
mod shared;
mod stream;
mod window;
mod windows;
mod worth;

use std::sync::Arc;

use quinn::Connection;
use sinew_core::{Muxed, ResourceScope};

use crate::{Config, runtime::Turns};
use connection::{Accept, Handle};
use shared::Shared;

/// Takes over a connection whose handshake is done. `turns` are those of quinn's task.
pub(crate) fn start(
    connection: Connection,
    turns: &Turns,
    config: &Config,
    scope: Arc<dyn ResourceScope>,
) -> Muxed {
    let shared = Arc::new(Shared::new(connection, turns.clone(), config, scope));
    let looking = Arc::downgrade(&shared);
    turns.follow(move || {
        if let Some(shared) = looking.upgrade() {
            shared.flow.look();
        }
    });
    Muxed::new(
        Arc::new(Handle(shared.clone())),
        Box::new(Accept::new(shared.clone())),
        Box::pin(connection::drive(shared)),
    )
}
