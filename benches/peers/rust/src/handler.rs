//! One connection: serves what comes in, opens what is asked for.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io, iter,
    task::{Context, Poll},
};

use futures::{StreamExt, channel::mpsc};
use libp2p::{
    InboundUpgrade, Stream, StreamProtocol,
    core::{UpgradeInfo, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol,
        handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use sinew_bench_cases::{Buffered, Service, serve};
use tokio::sync::oneshot;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

/// A stream for the cases.
pub type BenchStream = Buffered<Compat<Stream>>;

/// What is asked for, and who asks.
pub type Wanted = (Service, oneshot::Sender<io::Result<BenchStream>>);

/// Streams that may be asked for before the connection looks.
const WAITING: usize = 1024;

/// One connection's handler.
pub struct Handler {
    wanted: mpsc::Receiver<Wanted>,
}

impl Handler {
    /// With the end that asks it for streams.
    pub fn new() -> (Self, mpsc::Sender<Wanted>) {
        let (ask, wanted) = mpsc::channel(WAITING);
        (Self { wanted }, ask)
    }
}

/// Takes every service.
pub struct Services;

impl UpgradeInfo for Services {
    type Info = StreamProtocol;
    type InfoIter = iter::Map<std::array::IntoIter<Service, 3>, fn(Service) -> StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        Service::ALL.into_iter().map(protocol)
    }
}

impl InboundUpgrade<Stream> for Services {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, agreed: StreamProtocol) -> Self::Future {
        ready(Ok((stream, agreed)))
    }
}

fn protocol(service: Service) -> StreamProtocol {
    StreamProtocol::new(service.protocol())
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Services;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Wanted;

    fn listen_protocol(&self) -> SubstreamProtocol<Services> {
        SubstreamProtocol::new(Services, ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Wanted, Infallible>> {
        match self.wanted.poll_next_unpin(cx) {
            Poll::Ready(Some(wanted)) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(protocol(wanted.0)), wanted),
            }),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Services, Self::OutboundProtocol, (), Wanted>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, agreed),
                ..
            }) => {
                if let Some(service) = Service::named(agreed.as_ref()) {
                    tokio::spawn(serve(service, Buffered::new(stream.compat(), service)));
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: (service, asked),
            }) => {
                // Who asked may have gone.
                let _ = asked.send(Ok(Buffered::new(stream.compat(), service)));
            }
            ConnectionEvent::DialUpgradeError(failed) => {
                let _ = failed.info.1.send(Err(io::Error::other(failed.error)));
            }
            _ => {}
        }
    }
}
