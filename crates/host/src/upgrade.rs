//! The upgrade pipeline: from what a transport yields to an established connection.

use crate::{
    connection,
    entry::{Entry, Standing},
    limits::Place,
    places,
    shared::{Parts, Shared},
};
use futures_util::future::Either;
use multiaddr::Multiaddr;
use sinew_core::{
    BoxedIo, ConnectionInfo, Layer, Link, Muxed, MuxerUpgrade, NegotiationError, RawConnection, Role,
    SecureConnection, SecureRequest, SecureUpgrade, Secured, SecurityError, UpgradeError, Verdict,
};
use sinew_identity::{PeerId, PublicKey};
use sinew_machine::{CloseCode, Direction, ProtocolId, code};
use std::{
    future::{Future, ready},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// What one upgrade is about.
pub(crate) struct Upgrade {
    pub(crate) shared: Arc<Shared>,
    pub(crate) direction: Direction,
    /// Our part in the handshake: as the direction has it, except when punching a hole.
    pub(crate) role: Role,
    pub(crate) expected: Option<PeerId>,
    /// Nobody but the asker is to know of the connection.
    pub(crate) hidden: bool,
    pub(crate) transport: &'static str,
    /// Its place: pending, until it is established.
    pub(crate) place: Place,
    pub(crate) stage: Arc<Stage>,
    /// How long the whole may take; whoever runs the upgrade ends it then.
    pub(crate) within: Duration,
}

/// Which layer an upgrade is in, for the error of whoever ends it.
#[derive(Default)]
pub(crate) struct Stage(AtomicU8);

const LAYERS: [Layer; 5] = [
    Layer::Transport,
    Layer::SecurityNegotiation,
    Layer::Security,
    Layer::MuxerNegotiation,
    Layer::Muxer,
];

impl Stage {
    fn enter(&self, layer: Layer) {
        let index = LAYERS
            .iter()
            .position(|known| *known == layer)
            .unwrap_or_default();
        self.0
            .store(u8::try_from(index).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(crate) fn layer(&self) -> Layer {
        LAYERS[usize::from(self.0.load(Ordering::Relaxed)).min(LAYERS.len() - 1)]
    }
}

/// A connection with security and a muxer that is not in the table yet.
pub(crate) struct Upgraded {
    muxed: Muxed,
    peer: PeerId,
    key: PublicKey,
    local: Multiaddr,
    remote: Multiaddr,
    /// The name of its transport.
    transport: &'static str,
    limited: bool,
    security: Option<ProtocolId>,
    muxer: Option<ProtocolId>,
    early_muxer: bool,
}

impl Upgrade {
    /// Makes of `link` a connection with security and a muxer, for [`Upgrade::establish`].
    ///
    /// Hundreds of strangers may be in here at once. An `async fn` would hold `link` twice, as its argument and while it
    /// takes it apart.
    pub(crate) fn run(&self, link: Link) -> impl Future<Output = Result<Upgraded, UpgradeError>> {
        match link {
            Link::Raw(raw) => Either::Left(self.upgrade(raw)),
            Link::Secure(secure) => Either::Right(ready(self.adopt(secure))),
            _ => Either::Right(ready(Err(UpgradeError::Gated(Layer::Transport)))),
        }
    }

    /// What came with security and a muxer of its own.
    fn adopt(&self, secure: SecureConnection) -> Result<Upgraded, UpgradeError> {
        if self.parts().private_network.is_some() {
            connection::farewell(&self.shared, secure.muxed, code::connection::GATED, None);
            return Err(UpgradeError::NotPrivate(self.transport));
        }
        if let Err((error, code)) = self.check_peer(&secure.key, &secure.remote) {
            connection::farewell(&self.shared, secure.muxed, code, None);
            return Err(error);
        }
        Ok(Upgraded {
            muxed: secure.muxed,
            peer: secure.peer,
            key: secure.key,
            local: secure.local,
            remote: secure.remote,
            transport: self.transport,
            limited: secure.limited,
            security: None,
            muxer: None,
            early_muxer: false,
        })
    }

    fn parts(&self) -> &Parts {
        self.shared.parts()
    }

    async fn upgrade(&self, raw: RawConnection) -> Result<Upgraded, UpgradeError> {
        let RawConnection {
            mut io,
            local,
            remote,
            transport,
            limited,
            ..
        } = raw;
        self.stage.enter(Layer::SecurityNegotiation);
        if let Some(network) = &self.parts().private_network {
            io = network.wrap(io).await?;
        }
        let (security, secured) = self.secure(io).await?;
        self.check_peer(&secured.key, &remote)
            .map_err(|(error, _)| error)?;
        let mut io = secured.io;
        let early_muxer = secured.muxer.is_some();
        let muxer = match &secured.muxer {
            Some(name) => self.muxer(name)?,
            None => {
                self.stage.enter(Layer::MuxerNegotiation);
                let agreed = self
                    .negotiate(&mut io, &self.parts().muxers, MuxerUpgrade::protocol)
                    .await;
                agreed.map_err(|error| UpgradeError::Negotiation {
                    layer: Layer::MuxerNegotiation,
                    error,
                })?
            }
        };
        self.stage.enter(Layer::Muxer);
        let muxed = muxer.mux(io, self.role, self.place.scope().clone());
        let (security, muxer) = (Some(security.protocol()), Some(muxer.protocol()));
        Ok(Upgraded {
            muxed,
            peer: secured.peer,
            key: secured.key,
            local,
            remote,
            transport: transport.unwrap_or(self.transport),
            limited,
            security,
            muxer,
            early_muxer,
        })
    }

    /// Agrees on a security protocol and has it prove the peer. A dialler that has only one sends the first message of its
    /// handshake together with the proposal.
    async fn secure(&self, mut io: BoxedIo) -> Result<(&Arc<dyn SecureUpgrade>, Secured), UpgradeError> {
        let known = &self.parts().security[..];
        let security = if let ([only], Role::Dialer) = (known, self.role) {
            io = sinew_multistream::propose(io, only.protocol(), self.within)
                .map_err(|error| self.not_agreed(error))?;
            only
        } else {
            self.negotiate(&mut io, known, SecureUpgrade::protocol)
                .await
                .map_err(|error| self.not_agreed(error))?
        };
        self.stage.enter(Layer::Security);
        let muxers = self.parts().muxers.iter().map(|muxer| muxer.protocol()).collect();
        let request = SecureRequest::new(self.role, self.expected, muxers);
        let secured = security.secure(io, request).await;
        Ok((security, secured.map_err(|error| self.not_secured(error))?))
    }

    /// A handshake failed, or the negotiation that it was sent with.
    fn not_secured(&self, error: SecurityError) -> UpgradeError {
        match error {
            SecurityError::Io(error) => match error.downcast() {
                Ok(negotiation) => self.not_agreed(negotiation),
                Err(error) => SecurityError::Io(error).into(),
            },
            error => error.into(),
        }
    }

    /// No security protocol was agreed on. Under another pre-shared key everything arrives as noise, and so does what we
    /// send: the remote may end first.
    fn not_agreed(&self, error: NegotiationError) -> UpgradeError {
        use NegotiationError::{Ended, Io, Malformed, Timeout, TooLong};
        match error {
            error @ (Malformed(_) | TooLong(_) | Ended | Timeout(_) | Io(_))
                if self.parts().private_network.is_some() =>
            {
                UpgradeError::PrivateNetwork(error)
            }
            error => UpgradeError::Negotiation {
                layer: Layer::SecurityNegotiation,
                error,
            },
        }
    }

    /// Agrees on one of `known`, by name.
    async fn negotiate<'a, T: ?Sized>(
        &self,
        io: &mut BoxedIo,
        known: &'a [Arc<T>],
        name: impl Fn(&T) -> ProtocolId,
    ) -> Result<&'a Arc<T>, NegotiationError> {
        let names: Vec<_> = known.iter().map(|one| name(one)).collect();
        let agreed = match self.role {
            Role::Dialer => sinew_multistream::select(io, names.clone(), self.within).await?,
            Role::Listener => sinew_multistream::accept(io, &names[..], self.within).await?,
        };
        let index = names
            .iter()
            .position(|name| *name == agreed)
            .expect("one of the names was agreed on");
        Ok(&known[index])
    }

    /// A muxer that was agreed on inside the handshake.
    fn muxer(&self, name: &ProtocolId) -> Result<&Arc<dyn MuxerUpgrade>, UpgradeError> {
        let found = self.parts().muxers.iter().find(|muxer| muxer.protocol() == *name);
        found.ok_or_else(|| UpgradeError::Negotiation {
            layer: Layer::Security,
            error: NegotiationError::Unsupported(vec![name.clone()]),
        })
    }

    /// Whether the peer is wanted, and has room; else why not, and the code for a peer that can be told. Known before
    /// anything is paid for a muxer.
    fn check_peer(&self, key: &PublicKey, remote: &Multiaddr) -> Result<(), (UpgradeError, CloseCode)> {
        let actual = key.peer_id();
        if actual == self.shared.local {
            return Err((UpgradeError::OwnPeerId, code::connection::GATED));
        }
        if let Some(expected) = self.expected.filter(|expected| *expected != actual) {
            let wrong = SecurityError::WrongPeer { expected, actual };
            return Err((wrong.into(), CloseCode::NONE));
        }
        let parts = self.parts();
        if parts.gates.on_secured(self.direction, &actual, remote) == Verdict::Deny {
            return Err((UpgradeError::Gated(Layer::Security), code::connection::GATED));
        }
        let room = parts.system.has_room(Some(&actual), self.direction);
        room.map_err(|full| (full.into(), code::connection::RESOURCE_LIMIT))
    }

    /// Puts the connection into the table.
    pub(crate) fn establish(self, upgraded: Upgraded) -> Result<Arc<Entry>, UpgradeError> {
        let Upgraded {
            muxed,
            peer,
            key,
            local,
            remote,
            transport,
            limited,
            security,
            muxer,
            early_muxer,
        } = upgraded;
        debug_assert_eq!(peer, key.peer_id(), "a secure upgrade gives the peer of its key");
        let mut info = ConnectionInfo::new(self.shared.next_connection(), key, self.direction, local, remote);
        info.transport = transport;
        info.limited = limited;
        info.security = security;
        info.muxer = muxer;
        info.early_muxer = early_muxer;
        if self.shared.running().is_none() {
            connection::farewell(&self.shared, muxed, code::connection::SHUTDOWN, Some(self.place));
            return Err(UpgradeError::ShuttingDown);
        }
        let gates = &self.shared.parts().gates;
        let changes = gates.changes();
        let verdict = gates.on_established(&info);
        if verdict == Verdict::Deny {
            connection::farewell(&self.shared, muxed, code::connection::GATED, Some(self.place));
            return Err(UpgradeError::Gated(Layer::Muxer));
        }
        let standing = Standing {
            hidden: self.hidden,
            exempt: verdict == Verdict::Exempt,
        };
        let entry = match places::enter(&self.shared, info, &muxed, (self.place, standing)) {
            Ok(entry) => entry,
            Err((refused, place)) => {
                connection::farewell(&self.shared, muxed, code::connection::RESOURCE_LIMIT, Some(place));
                return Err(refused.into());
            }
        };
        connection::begin(&self.shared, &entry, muxed);
        if gates.changes() != changes && gates.on_established(&entry.info) == Verdict::Deny {
            entry.close(code::connection::GATED);
            return Err(UpgradeError::Gated(Layer::Muxer));
        }
        Ok(entry)
    }
}
