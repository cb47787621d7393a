//! The older test plans' perf: a program with a command line rather than an environment, which prints lines of JSON.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use serde_json::json;
use sinew::{
    Host, HostBuilder, Keypair, Multiaddr, Node,
    perf::{self, Amount, Live, Perf, Request},
    quic::{self, QuicTransport},
    tcp::TcpTransport,
    tls::Tls,
    yamux::Yamux,
};

use super::{Failure, connect, transport::print};

/// Where a server is if nothing is said.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 4001);

/// The server's key, an Ed25519 key of 32 zeros: the other programs of the test plans expect to find it there.
const SERVER_KEY: &str = "08011240\
    0000000000000000000000000000000000000000000000000000000000000000\
    3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";

/// Between two lines about how far it is.
const INTERVAL: Duration = Duration::from_secs(1);

/// What such a program takes.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct CommandLine {
    /// Serve perf until ended, as a program of the older test plans.
    #[arg(long)]
    run_server: bool,
    /// Where the server is; a client's sign.
    #[arg(long, value_name = "IP:PORT")]
    server_address: Option<SocketAddr>,
    /// `tcp` or `quic-v1`.
    #[arg(long, default_value = "tcp")]
    transport: String,
    /// What a client sends.
    #[arg(long, default_value_t = 0)]
    upload_bytes: u64,
    /// What a client has the server send.
    #[arg(long, default_value_t = 0)]
    download_bytes: u64,
}

impl CommandLine {
    /// Whether it says anything.
    pub(crate) fn is_given(&self) -> bool {
        self.run_server || self.server_address.is_some()
    }
}

/// One side of the older perf.
pub(crate) async fn command_line(args: &CommandLine) -> Result<(), Failure> {
    let server = args.server_address.unwrap_or(SERVER);
    if args.run_server {
        serve(server).await
    } else {
        let addr = addr(server, &args.transport)?;
        measure(&addr, args.upload_bytes, args.download_bytes).await
    }
}

fn builder(key: &Keypair) -> Result<HostBuilder, Failure> {
    let quic = QuicTransport::new(quic::Certificate::new(key)?, quic::Config::default());
    Ok(Node::bare(key.clone())
        .transport(TcpTransport::new())
        .transport(quic)
        .security(Tls::new(key)?)
        .muxer(Yamux::default()))
}

fn addr(server: SocketAddr, transport: &str) -> Result<Multiaddr, Failure> {
    let version = if server.is_ipv4() { "ip4" } else { "ip6" };
    let (ip, port) = (server.ip(), server.port());
    Ok(match transport {
        "tcp" => format!("/{version}/{ip}/tcp/{port}"),
        "quic-v1" => format!("/{version}/{ip}/udp/{port}/quic-v1"),
        other => return Err(format!("unknown transport {other}").into()),
    }
    .parse()?)
}

/// Listens over both transports, says where, and serves until it is ended.
async fn serve(server: SocketAddr) -> Result<(), Failure> {
    let key = Keypair::from_protobuf(&hex::decode(SERVER_KEY)?)?;
    let mut builder = builder(&key)?;
    builder.add(perf::Config::default());
    let host = builder.start().await?;
    for transport in ["tcp", "quic-v1"] {
        for addr in host.listen(addr(server, transport)?).await? {
            print(&format!("{addr}/p2p/{}\n", host.peer_id()))?;
        }
    }
    std::future::pending().await
}

/// Connects, moves the bytes, and prints what that came to.
async fn measure(addr: &Multiaddr, upload: u64, download: u64) -> Result<(), Failure> {
    let host: Host = builder(&Keypair::generate())?.start().await?;
    let began = Instant::now();
    let peer = connect(&host, &addr.to_string()).await?;
    let request = Request::default()
        .upload(Amount::Bytes(upload))
        .download(Amount::Bytes(download));
    let mut progress = Progress::default();
    let live = |live| drop(progress.next(live).map(|line| print(&line)));
    // The test plans measure each program with itself.
    Perf::new(host).finish_early().run(peer, request, live).await?;
    print(&line("final", began.elapsed(), upload, download))?;
    Ok(())
}

/// What the last line told.
#[derive(Default)]
struct Progress(Live);

impl Progress {
    /// A line about what has been moved since the last one, once a second.
    fn next(&mut self, live: Live) -> Option<String> {
        let took = live.elapsed - self.0.elapsed;
        if took < INTERVAL {
            return None;
        }
        let before = std::mem::replace(&mut self.0, live);
        let (up, down) = (
            live.uploaded - before.uploaded,
            live.downloaded - before.downloaded,
        );
        Some(line("intermediary", took, up, down))
    }
}

fn line(kind: &str, took: Duration, upload: u64, download: u64) -> String {
    let seconds = took.as_secs_f64();
    let object =
        json!({ "type": kind, "timeSeconds": seconds, "uploadBytes": upload, "downloadBytes": download });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_came_since_the_last_one() {
        let live = |millis, uploaded| {
            let mut live = Live::default();
            live.elapsed = Duration::from_millis(millis);
            live.uploaded = uploaded;
            live
        };
        let mut progress = Progress::default();
        assert_eq!(progress.next(live(900, 5)), None);
        let first = progress.next(live(1500, 7)).unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&first).unwrap(),
            json!({ "type": "intermediary", "timeSeconds": 1.5, "uploadBytes": 7, "downloadBytes": 0 })
        );
        assert_eq!(progress.next(live(2400, 9)), None);
        assert!(
            progress
                .next(live(2500, 9))
                .unwrap()
                .contains(r#""uploadBytes":2"#)
        );
    }

    #[test]
    fn the_server_is_who_the_other_programs_expect() {
        let key = hex::decode(SERVER_KEY).unwrap();
        let peer = Keypair::from_protobuf(&key).unwrap().peer_id();
        assert_eq!(
            peer.to_string(),
            "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
        );
    }

    #[test]
    fn an_address_names_the_transport() {
        let text = |transport| addr(SERVER, transport).map(|addr| addr.to_string());
        assert_eq!(text("tcp").unwrap(), "/ip4/0.0.0.0/tcp/4001");
        assert_eq!(text("quic-v1").unwrap(), "/ip4/0.0.0.0/udp/4001/quic-v1");
        assert!(text("ws").is_err());
    }
}
