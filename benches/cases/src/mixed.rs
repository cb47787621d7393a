//! Small requests beside a bulk stream, on one connection.

use crate::{BenchError, Connection, Service, bulk, figures::Figures, request};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// One upload, and requests, some at a time: the times of the requests, and the bytes of the upload.
pub(crate) async fn run<C: Connection>(
    connection: Arc<C>,
    at_once: usize,
    time: Duration,
) -> Result<Figures, BenchError> {
    let mut uploading = JoinSet::new();
    uploading.spawn(bulk::run(connection.clone(), Service::Sink, 1, time));
    let requests = request::run(connection, at_once, time).await?;
    let upload = uploading.join_next().await.expect("it was spawned")??;
    Ok(Figures {
        bytes: upload.bytes,
        seconds: upload.seconds,
        ..requests
    })
}
