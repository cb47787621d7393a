//! The service that answers `GET /metrics`.

use crate::{Metrics, measures, snapshot};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use sinew_core::{Host, Registrar, Service, ServiceConfig, ServiceContext, ServiceError};
use sinew_machine::{Blame, Culpable};
use sinew_runtime::{sleep, timeout};
use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Connections that are answered side by side; further ones wait.
const MAX_CONNECTIONS: usize = 16;

/// How long a connection may last in all, for many answers or for one: a reader that dawdles is cut.
const CONNECTION: Duration = Duration::from_secs(60);

/// The longest head of a request, in bytes: the least that hyper takes.
const MAX_HEAD: usize = 8192;

/// The pause after an accept that failed for want of something.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers `GET /metrics` on an address. Add it to a node as a service; its handle is the address.
#[derive(Debug)]
pub struct MetricsServer {
    metrics: Metrics,
    listener: StdListener,
    addr: SocketAddr,
}

/// Why metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics on {addr}: {source}")]
pub struct ServeError {
    addr: SocketAddr,
    source: io::Error,
}

impl Culpable for ServeError {
    fn blame(&self) -> Blame {
        Blame::Local
    }
}

impl Metrics {
    /// Listens on `addr` for whoever wants to read the metrics. Nothing is asked of them: an address that strangers can
    /// reach shows the metrics to strangers.
    ///
    /// # Errors
    /// [`ServeError`] when the address cannot be listened on.
    pub fn serve(&self, addr: SocketAddr) -> Result<MetricsServer, ServeError> {
        let listen = || {
            let listener = StdListener::bind(addr)?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (addr, listener) = listen().map_err(|source| ServeError { addr, source })?;
        Ok(MetricsServer {
            metrics: self.clone(),
            listener,
            addr,
        })
    }
}

impl ServiceConfig for MetricsServer {
    type Handle = SocketAddr;

    fn build(self, _: Host, _: &mut Registrar) -> (SocketAddr, Box<dyn Service>) {
        (self.addr, Box::new(self))
    }
}

impl Service for MetricsServer {
    fn name(&self) -> &'static str {
        "metrics"
    }

    fn run(self: Box<Self>, mut context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>> {
        Box::pin(async move {
            let listener = TcpListener::from_std(self.listener)?;
            let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
            loop {
                let (stream, place) = tokio::select! {
                    arrived = accept(&listener, &places) => arrived,
                    () = context.shutdown.requested() => return Ok(()),
                };
                let answer = answer_all(stream, place, context.host.clone(), self.metrics.clone());
                context.tasks.spawn("metrics", Box::pin(answer));
            }
        })
    }
}

/// Waits for a free place, and then for who takes it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places
        .clone()
        .acquire_owned()
        .await
        .expect("the semaphore is not closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::debug!(%error, "accepting a reader of metrics");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn answer_all(stream: TcpStream, place: OwnedSemaphorePermit, host: Host, metrics: Metrics) {
    let service = service_fn(move |request| {
        let (host, metrics) = (host.clone(), metrics.clone());
        async move { Ok::<_, Infallible>(answer(&request, &host, &metrics).await) }
    });
    let serve = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(CONNECTION, serve).await {
        tracing::debug!(%error, "a reader of metrics");
    }
    drop(place);
}

async fn answer(request: &Request<Incoming>, host: &Host, metrics: &Metrics) -> Response<Full<Bytes>> {
    let found = request.method() == Method::GET && request.uri().path() == "/metrics";
    if !found {
        let mut missing = Response::new(Full::from("GET /metrics\n"));
        *missing.status_mut() = StatusCode::NOT_FOUND;
        return missing;
    }
    let services = measures::encode(host).await;
    let text = metrics.encode_open() + &snapshot::encode(host) + &services + "# EOF\n";
    let mut response = Response::new(Full::from(text));
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(form));
    response
}
