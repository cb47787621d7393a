//! The contracts of the official suites: a role and a stack in the environment, an address passed on through redis, results
//! on stdout. Both spellings of the environment are known: that of the suites' programs and that of the older test plans.

mod command_line;
mod coordination;
mod environment;
mod gossipsub;
mod perf;
mod statistics;
mod transport;

use std::{error::Error, io, net::IpAddr, path::PathBuf, time::Duration};

use sinew::{Host, HostBuilder, Keypair, Multiaddr, PeerId, websocket::WebSocketTransport};
use tokio::time::timeout;

pub(crate) use self::{
    command_line::{CommandLine, command_line},
    gossipsub::{Arguments as Gossipsub, gossipsub},
};
use self::{
    coordination::Coordination,
    environment::{Environment, variable},
};
use crate::stack;

type Failure = Box<dyn Error>;

/// How long a dial may take.
const DIAL: Duration = Duration::from_secs(30);

/// What the environment does not say.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Show the certificate of this folder (`cert.pem` with `key.pem`) on secure WebSockets, rather than one made for the
    /// occasion. A dialler takes any.
    #[arg(long)]
    tls: Option<PathBuf>,
}

/// Whether the suite asks for much output.
pub(crate) fn wants_debug() -> bool {
    variable("DEBUG").is_some_and(|value| value == "true")
}

/// Whether it is the perf suite whose program this is. The environments of its listener and of the transport suite's
/// differ only in the name of the redis host.
pub(crate) fn is_perf() -> bool {
    let redis = variable("REDIS_ADDR").unwrap_or_default();
    variable("UPLOAD_BYTES").is_some() || redis.starts_with("perf-")
}

/// One side of the transport suite.
pub(crate) async fn transport(args: &Args) -> Result<(), Failure> {
    let environment = Environment::read(variable)?;
    if environment.is_dialer {
        transport::dial(&environment, args).await
    } else {
        transport::listen(&environment, args).await
    }
}

/// One side of the perf suite.
pub(crate) async fn perf(args: &Args) -> Result<(), Failure> {
    let environment = Environment::read(variable)?;
    if environment.is_dialer {
        perf::dial(&environment, args).await
    } else {
        perf::listen(&environment, args).await
    }
}

/// A builder of the node that the environment describes.
fn builder(environment: &Environment, args: &Args) -> Result<HostBuilder, Failure> {
    let websockets = || {
        let transport = WebSocketTransport::new().with_insecure_any_certificate();
        Ok(transport.with_certificate(stack::certificate(args.tls.as_deref())?))
    };
    stack::builder(
        &Keypair::generate(),
        &environment.stack,
        stack::Muxing::default(),
        websockets,
    )
}

/// Listens where the environment says, and gives the address to tell the other side.
async fn published(host: &Host, environment: &Environment) -> Result<String, Failure> {
    let addrs = host
        .listen(environment.stack.listen_addr(environment.ip)?)
        .await?;
    let addr = publishable(&addrs).ok_or("listens on no address")?;
    Ok(spelled(addr, host.peer_id()))
}

/// One that other machines reach, if there is one.
fn publishable(addrs: &[Multiaddr]) -> Option<&Multiaddr> {
    let is_loopback = |addr: &Multiaddr| match addr.iter().next() {
        Some(sinew::addr::Protocol::Ip4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(sinew::addr::Protocol::Ip6(ip)) => IpAddr::V6(ip).is_loopback(),
        _ => false,
    };
    addrs.iter().find(|addr| !is_loopback(addr)).or(addrs.first())
}

/// Some peers know secure WebSockets by their older name only, and all know that.
fn spelled(addr: &Multiaddr, peer: PeerId) -> String {
    let addr = addr.to_string().replace("/tls/ws", "/wss");
    format!("{addr}/p2p/{peer}")
}

/// The connection to redis, of both sides.
fn coordination(environment: &Environment) -> io::Result<Coordination> {
    Coordination::connect(&environment.redis, environment.key.clone(), environment.timeout)
}

/// Connects to the listener whose address came through redis.
async fn connect(host: &Host, addr: &str) -> Result<PeerId, Failure> {
    let addr: Multiaddr = addr.parse()?;
    let connected = timeout(DIAL, host.connect(addr)).await;
    Ok(connected.map_err(|_| "the dial took too long")??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addrs(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_of_the_network_goes_before_loopback() {
        let both = addrs(&["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"]);
        assert_eq!(publishable(&both), both.get(1));
        let loopback = addrs(&["/ip4/127.0.0.1/udp/1/quic-v1"]);
        assert_eq!(publishable(&loopback), loopback.first());
        assert_eq!(publishable(&[]), None);
    }

    #[test]
    fn secure_websockets_have_their_older_name() {
        let peer = Keypair::generate().peer_id();
        let addr = &addrs(&["/ip4/10.0.0.2/tcp/1/tls/ws"])[0];
        assert_eq!(spelled(addr, peer), format!("/ip4/10.0.0.2/tcp/1/wss/p2p/{peer}"));
    }
}
