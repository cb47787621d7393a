//! What the service, its handlers and its handle share: saying who we are, and taking in who others are.

use crate::{
    Admission, Config, Extent, Identified, IdentifyError, Info, Message, Record, askers::Askers, exchange,
    local::Local, pushes::Pushes,
};
use bytes::Bytes;
use sinew_core::{
    CloseCode, Connection, ConnectionInfo, Culpable, Host, Learned, Shutdown, Source, Stream, code,
};
use sinew_runtime::now;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) timeout: Duration,
    pub(crate) local: Local,
    pub(crate) pushes: Pushes,
    askers: Askers,
    /// Requested when the service ends: its handlers end with it.
    ended: Shutdown,
}

impl Shared {
    /// With what tells the handlers to end, when it is dropped.
    pub(crate) fn new(host: Host, config: &Config) -> (Self, watch::Sender<bool>) {
        let (stop, ended) = watch::channel(false);
        let local = Local::new(host.clone(), config);
        let shared = Self {
            host,
            timeout: config.timeout,
            local,
            pushes: Pushes::default(),
            askers: Askers::default(),
            ended: ended.into(),
        };
        (shared, stop)
    }

    /// Runs `task` until the service ends.
    ///
    /// The task is boxed here: as an argument of an async function it would have its room twice.
    pub(crate) fn while_running<T>(&self, task: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
        let (mut ended, mut task) = (self.ended.clone(), Box::pin(task));
        async move {
            tokio::select! {
                done = &mut task => Some(done),
                () = ended.requested() => None,
            }
        }
    }

    /// What is said to the remote of `connection`, as bytes.
    pub(crate) fn statement(&self, connection: &ConnectionInfo) -> Bytes {
        self.local.message(connection).encode()
    }

    /// Answers who we are, unless the peer has asked too often.
    pub(crate) async fn answer(self: Arc<Self>, stream: Stream) {
        match self.askers.ask(stream.peer()) {
            Admission::Answer => self.say(stream).await,
            Admission::Refuse => stream.reset(code::stream::RATE_LIMITED),
            Admission::Flood => self.cut(&stream),
        }
    }

    async fn say(&self, stream: Stream) {
        let connection = stream.connection().clone();
        let statement = self.statement(&connection);
        let said = exchange::say(stream, statement, self.timeout);
        if let Some(Err(failure)) = self.while_running(said).await {
            let error = failure.of(connection.peer, self.timeout);
            tracing::debug!(connection = %connection.id, peer = %connection.peer, %error, "identify was not answered");
        }
    }

    /// Takes in a push, with those that come shortly after it.
    pub(crate) async fn take_push(self: Arc<Self>, stream: Stream) {
        crate::pushes::take(&self, stream).await;
    }

    /// Asks the remote of `connection` who it is, and takes it in.
    pub(crate) async fn identify(&self, connection: &Connection) -> Result<Arc<Info>, IdentifyError> {
        let (info, begun) = (connection.info(), now());
        let mut message = self.ask(connection).await?;
        if self.pushes.taken_since(&info.peer, begun) {
            // The answer may have been under way for longer than the push, and would undo it.
            message = self.ask(connection).await?;
        }
        self.take_in(message, info, Extent::Whole)
    }

    async fn ask(&self, connection: &Connection) -> Result<Message, IdentifyError> {
        let asked = exchange::ask(connection, self.timeout).await;
        asked.map_err(|failure| failure.of(connection.peer(), self.timeout))
    }

    /// Tells the host, and whoever wants to know, what the remote of `connection` said.
    pub(crate) fn take_in(
        &self,
        message: Message,
        connection: &ConnectionInfo,
        extent: Extent,
    ) -> Result<Arc<Info>, IdentifyError> {
        let checked = Info::check(message, &connection.key, connection.id, extent);
        let info = Arc::new(checked.inspect_err(|wrong| {
            tracing::debug!(connection = %connection.id, error = %wrong, "a peer lies about its key");
            self.close(connection, code::connection::PROTOCOL_VIOLATION);
        })?);
        if let Record::Refused(error) = &info.record {
            tracing::debug!(peer = %info.peer, %error, blame = %error.blame(), "a peer record is left aside");
        }
        let learned = learned(&info);
        self.host
            .learn(&info.peer, learned, Source::Identify(info.connection));
        self.host.bus().publish(|| Identified {
            info: info.clone(),
            extent,
        });
        Ok(info)
    }

    /// Closes the connection of a stream, one of far too many.
    pub(crate) fn cut(&self, stream: &Stream) {
        let connection = stream.connection();
        tracing::debug!(connection = %connection.id, peer = %connection.peer, protocol = %stream.protocol(), "closed for a flood");
        self.close(connection, code::connection::RATE_LIMITED);
    }

    fn close(&self, connection: &ConnectionInfo, code: CloseCode) {
        if let Some(handle) = self.host.connection_by_id(&connection.peer, connection.id) {
            handle.close(code);
        }
    }
}

fn learned(info: &Info) -> Learned {
    let mut learned = Learned::default();
    learned.addrs = info.addrs();
    learned.protocols.clone_from(&info.protocols);
    learned.key = Some(info.key.clone());
    learned.agent.clone_from(&info.agent_version);
    learned.observed.clone_from(&info.observed_addr);
    if let Record::Valid { envelope, .. } = &info.record {
        learned.record = Some(envelope.clone());
    }
    learned
}
