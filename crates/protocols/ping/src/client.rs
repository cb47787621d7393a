//! The side that asks.

use crate::{
    Config, PROTOCOL, PingError, SIZE,
    exchange::{self, Failure},
};
use sinew_core::{Connection, Host, Learned, OpenError, OpenOptions, PeerId, Stream};
use sinew_machine::{ConnectionId, Instant};
use sinew_runtime::{now, sleep_until};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex as StdMutex, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::Mutex;

/// Pings peers. Cheap to clone; all clones share one stream a peer.
#[derive(Clone)]
pub struct Ping {
    host: Host,
    timeout: Duration,
    sessions: Arc<StdMutex<HashMap<PeerId, Weak<Session>>>>,
}

/// The one outbound stream to a peer, while somebody pings it.
// spec: ping, Protocol: the dialer keeps at most one outbound stream per peer
type Session = Mutex<Option<Stream>>;

/// Which connection a ping goes over.
#[derive(Clone)]
enum Way {
    Any(PeerId),
    Over(Connection),
}

impl Ping {
    /// A handle that asks only. Add [`Config`] to a node to answer as well.
    #[must_use]
    pub fn new(host: Host, config: Config) -> Self {
        Self {
            host,
            timeout: config.timeout,
            sessions: Arc::default(),
        }
    }

    /// Sends one ping to `peer`, over a connection that exists or a new one. How long the echo took.
    ///
    /// The time includes no negotiation of the stream: its name leaves together with the ping.
    ///
    /// # Errors
    /// [`PingError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up the ping and its stream.
    pub async fn ping(&self, peer: PeerId) -> Result<Duration, PingError> {
        self.once(Way::Any(peer)).await
    }

    /// As [`Ping::ping`], over this very connection.
    ///
    /// # Errors
    /// [`PingError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up the ping and its stream.
    pub async fn ping_over(&self, connection: &Connection) -> Result<Duration, PingError> {
        self.once(Way::Over(connection.clone())).await
    }

    /// Pings to `peer`, one each `interval`, over one stream as long as it answers.
    #[must_use]
    pub fn pings(&self, peer: PeerId, interval: Duration) -> Pings {
        self.series(Way::Any(peer), interval)
    }

    /// As [`Ping::pings`], over this very connection.
    #[must_use]
    pub fn pings_over(&self, connection: &Connection, interval: Duration) -> Pings {
        self.series(Way::Over(connection.clone()), interval)
    }

    async fn once(&self, way: Way) -> Result<Duration, PingError> {
        let mut pings = self.series(way, Duration::ZERO);
        let echo = pings.next().await;
        pings.finish().await;
        echo
    }

    fn series(&self, way: Way, interval: Duration) -> Pings {
        let session = self.session(way.peer());
        Pings {
            ping: self.clone(),
            way,
            interval,
            due: now(),
            session,
        }
    }

    fn session(&self, peer: PeerId) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.strong_count() > 0);
        if let Some(session) = sessions.get(&peer).and_then(Weak::upgrade) {
            return session;
        }
        let session = Arc::new(Session::new(None));
        sessions.insert(peer, Arc::downgrade(&session));
        session
    }

    /// Sends one ping over the session's stream, or over a new one where there is none.
    async fn exchange(&self, way: &Way, session: &Session) -> Result<Duration, PingError> {
        let mut slot = session.lock().await;
        // Taken out, so that a stream whose ping failed or was given up is not used again: rust-libp2p may leave the second
        // or third ping of a QUIC stream unanswered.
        let kept = slot.take().filter(|stream| way.fits(stream.connection().id));
        if let Some(stream) = kept {
            match self.ask(stream).await {
                // Between two pings the peer may end the stream: go-libp2p does after 10 s of silence, and after 30 s in all.
                Err(Failure::Io(_)) => {}
                echo => return self.keep(way, &mut slot, echo),
            }
        }
        let echo = self.ask(way.open(&self.host).await?).await;
        self.keep(way, &mut slot, echo)
    }

    async fn ask(&self, mut stream: Stream) -> Result<(Stream, Duration), Failure> {
        let mut payload = [0; SIZE];
        sinew_crypto::random(&mut payload);
        let (peer, connection) = (stream.peer(), stream.connection().id);
        let echo = exchange::ask(&mut stream, payload, self.timeout).await;
        if matches!(echo, Ok(_) | Err(Failure::TimedOut)) {
            self.host.doubt(&peer, connection, echo.is_err());
        }
        Ok((stream, echo?))
    }

    /// Puts a stream that answered back for the next ping.
    fn keep(
        &self,
        way: &Way,
        slot: &mut Option<Stream>,
        echo: Result<(Stream, Duration), Failure>,
    ) -> Result<Duration, PingError> {
        let (stream, echo) = echo.map_err(|failure| PingError::new(way.peer(), failure, self.timeout))?;
        *slot = Some(stream);
        self.remember(&way.peer(), echo);
        Ok(echo)
    }

    fn remember(&self, peer: &PeerId, latency: Duration) {
        let mut learned = Learned::default();
        learned.latency = Some(latency);
        self.host.peerstore().update(peer, &learned, now());
    }
}

impl Way {
    fn peer(&self) -> PeerId {
        match self {
            Self::Any(peer) => *peer,
            Self::Over(connection) => connection.peer(),
        }
    }

    fn fits(&self, id: ConnectionId) -> bool {
        match self {
            Self::Any(_) => true,
            Self::Over(connection) => connection.info().id == id,
        }
    }

    async fn open(&self, host: &Host) -> Result<Stream, OpenError> {
        let options = OpenOptions::default().limited().background();
        match self {
            Self::Any(peer) => host.new_stream_with(peer, [PROTOCOL], options).await,
            Self::Over(connection) => connection.open_with([PROTOCOL], options).await,
        }
    }
}

/// A series of pings to one peer. It has no end of its own.
pub struct Pings {
    ping: Ping,
    way: Way,
    interval: Duration,
    due: Instant,
    session: Arc<Session>,
}

impl Pings {
    /// Waits until the next ping is due, sends it, and says how long its echo took.
    ///
    /// After an error the series goes on: the next ping takes a new stream.
    ///
    /// # Errors
    /// [`PingError`].
    ///
    /// # Cancel safety
    /// Dropping the future while it waits loses nothing; later it gives up the ping and its stream.
    pub async fn next(&mut self) -> Result<Duration, PingError> {
        sleep_until(self.due).await;
        self.due = now() + self.interval;
        self.ping.exchange(&self.way, &self.session).await
    }

    /// Ends the stream in order, if nobody else pings the peer. Dropping the series resets it.
    ///
    /// # Cancel safety
    /// Dropping the future resets the stream.
    pub async fn finish(self) {
        if let Some(session) = Arc::into_inner(self.session)
            && let Some(mut stream) = session.into_inner()
        {
            // spec: ping, Protocol: the dialer closes its side after the last ping. Whether that arrives matters to nobody.
            drop(stream.finish().await);
        }
    }
}

impl fmt::Debug for Ping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ping")
            .field("host", &self.host)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Pings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pings")
            .field("peer", &self.way.peer())
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
