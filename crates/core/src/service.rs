//! Services: protocols that live as long as the node does.

use crate::{HandlerOptions, Host, ProtocolMatch, StreamHandler};
use futures_util::future::BoxFuture;
use std::{fmt, sync::Arc};
use tokio::sync::watch;

/// A protocol that runs while the node does, in a task of its own.
pub trait Service: Send + 'static {
    /// Its name in logs.
    fn name(&self) -> &'static str;

    /// Runs until [`ServiceContext::shutdown`] is requested, then says goodbye and returns. What is still running at the
    /// end of the grace period is dropped.
    fn run(self: Box<Self>, context: ServiceContext) -> BoxFuture<'static, Result<(), ServiceError>>;
}

/// Why a service ended before it was asked to.
pub type ServiceError = Box<dyn std::error::Error + Send + Sync>;

/// The configuration of a service: builds it and the handle that the application keeps.
pub trait ServiceConfig {
    /// What the application uses the service by.
    type Handle: Clone + Send + Sync + 'static;

    /// Builds the service. `host` answers [`NotRunning`](crate::DialError::NotRunning) until the node is started.
    fn build(self, host: Host, register: &mut Registrar) -> (Self::Handle, Box<dyn Service>);
}

/// What a running service is given.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServiceContext {
    /// The host.
    pub host: Host,
    /// Spawns tasks that end with the service.
    pub tasks: Arc<dyn Spawn>,
    /// Says when to stop.
    pub shutdown: Shutdown,
}

impl ServiceContext {
    /// What a service is given by `host`.
    #[must_use]
    pub fn new(host: Host, tasks: Arc<dyn Spawn>, shutdown: Shutdown) -> Self {
        Self {
            host,
            tasks,
            shutdown,
        }
    }
}

impl fmt::Debug for ServiceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceContext")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Spawns tasks that have a parent. `sinew-runtime` implements it.
pub trait Spawn: Send + Sync + 'static {
    /// Runs `task` under `name`. It is dropped when its parent ends.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);
}

/// Tells that an end is wanted.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl From<watch::Receiver<bool>> for Shutdown {
    /// Sending `true` requests the end.
    fn from(requested: watch::Receiver<bool>) -> Self {
        Self(requested)
    }
}

impl Shutdown {
    /// Waits until the end is requested, or whoever could request it is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn requested(&mut self) {
        // An error means that the sender is gone: the end as well.
        let _ = self.0.wait_for(|requested| *requested).await;
    }
}

/// Takes what a service brings along. Frozen before the first listener opens.
#[derive(Default, Debug)]
pub struct Registrar {
    handlers: Vec<Registration>,
}

impl Registrar {
    /// Serves a protocol from the first moment on.
    pub fn handler(
        &mut self,
        protocol: impl Into<ProtocolMatch>,
        options: HandlerOptions,
        handler: impl StreamHandler,
    ) {
        self.handlers.push(Registration {
            protocol: protocol.into(),
            options,
            handler: Arc::new(handler),
        });
    }

    /// All that was brought along.
    #[must_use]
    pub fn into_handlers(self) -> Vec<Registration> {
        self.handlers
    }
}

/// A handler with its protocol and limits.
#[derive(Clone)]
#[non_exhaustive]
pub struct Registration {
    /// What it serves.
    pub protocol: ProtocolMatch,
    /// Its limits.
    pub options: HandlerOptions,
    /// The handler.
    pub handler: Arc<dyn StreamHandler>,
}

impl Registration {
    /// A handler with its protocol and limits.
    #[must_use]
    pub fn new(protocol: ProtocolMatch, options: HandlerOptions, handler: Arc<dyn StreamHandler>) -> Self {
        Self {
            protocol,
            options,
            handler,
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("protocol", &self.protocol)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
