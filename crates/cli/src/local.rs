//! The node of a command: its key, its addresses, its end.

use crate::{
    args::{KeyArgs, Listening},
    error::{CliError, Kind},
    output::Output,
};
use serde_json::json;
use sinew::{
    AddressPolicy, Connection, DialOptions, DiskError, Host, HostStartError, Keypair, ListenError, Multiaddr,
    Node, NodeBuilder, StartError, addr,
    identity::{Existing, KeyFile, KeyFormat},
    pnet::PreSharedKey,
    sinew_core::TransportError,
    tls::KeyLogFile,
    websocket::HandshakeError,
};
use std::{
    error::Error,
    net::UdpSocket,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a node that is told to end may take to say goodbye.
const GRACE: Duration = Duration::from_secs(3);

/// The key of a command that dials: the file if one is named, else a fresh one.
fn dialling_key(args: &KeyArgs) -> Result<Keypair, CliError> {
    match &args.key {
        Some(path) => read_or_make(path),
        None => Ok(Keypair::generate()),
    }
}

/// The key of a command that listens: the file that is named, else the one in the configuration folder, so that
/// its peer id stays.
pub(crate) fn listening_key(args: &KeyArgs) -> Result<Keypair, CliError> {
    let path = args.key.clone().map_or_else(default_path, Ok)?;
    read_or_make(&path)
}

fn default_path() -> Result<PathBuf, CliError> {
    let home = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let config = home("XDG_CONFIG_HOME").or_else(|| home("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| {
        CliError::new(Kind::Local, "there is no home folder to keep the key in")
            .hint("name a key file with --key")
    })?;
    let folder = config.join("sinew");
    std::fs::create_dir_all(&folder)
        .map_err(|error| CliError::io(format!("making {}", folder.display()), error))?;
    Ok(folder.join("node.key"))
}

fn read_or_make(path: &Path) -> Result<Keypair, CliError> {
    if path.exists() {
        return Ok(read_key(path)?.keypair);
    }
    let keypair = Keypair::generate();
    write_key(&keypair, path, KeyFormat::Protobuf)?;
    Ok(keypair)
}

/// Reads a key file in any form.
pub(crate) fn read_key(path: &Path) -> Result<KeyFile, CliError> {
    let file = KeyFile::read(path).map_err(|error| {
        let failed = CliError::new(Kind::Local, "reading the key").because(error);
        if path.exists() {
            failed
        } else {
            failed.hint("make one with `sinew key new FILE`")
        }
    })?;
    if let Some(mode) = file.loose_mode {
        tracing::error!(file = %path.display(), mode = format!("{mode:o}"), "others can read this key: chmod 600 it");
    }
    Ok(file)
}

/// Writes a key into a new file.
pub(crate) fn write_key(keypair: &Keypair, path: &Path, format: KeyFormat) -> Result<(), CliError> {
    keypair
        .write_key_file(path, format, Existing::Keep)
        .map_err(|error| CliError::new(Kind::Local, "writing the key").because(error))
}

/// Reads the pre-shared key of a private network.
pub(crate) fn read_psk(path: &Path) -> Result<PreSharedKey, CliError> {
    PreSharedKey::read_file(path)
        .map_err(|error| CliError::new(Kind::Local, "reading the pre-shared key").because(error))
}

/// Puts a node into the private network that is named, if one is.
pub(crate) fn within(builder: NodeBuilder, args: &KeyArgs) -> Result<NodeBuilder, CliError> {
    match &args.psk {
        Some(path) => Ok(builder.private_network(read_psk(path)?)),
        None => Ok(builder),
    }
}

/// A builder of a node. Its TLS and QUIC secrets go to the file that `SSLKEYLOGFILE` names, if it names one.
pub(crate) fn builder(key: Keypair) -> NodeBuilder {
    Node::builder_with_key_log(key, Arc::new(KeyLogFile::new()))
}

/// A builder of a node that only dials.
pub(crate) fn dialler(args: &KeyArgs) -> Result<NodeBuilder, CliError> {
    within(builder(dialling_key(args)?), args)
}

/// A builder of a node that listens.
pub(crate) fn listener(args: &Listening) -> Result<NodeBuilder, CliError> {
    let builder = within(builder(listening_key(&args.key)?), &args.key)?;
    Ok(listening(builder, args))
}

/// Lets a node listen where it is told to.
pub(crate) fn listening(builder: NodeBuilder, args: &Listening) -> NodeBuilder {
    let addrs = match &args.listen[..] {
        [] => anywhere(&args.key),
        given => given.to_vec(),
    };
    addrs.into_iter().fold(builder, NodeBuilder::listen_on)
}

/// Where a node listens if nothing is said: over all that its network and this machine allow.
pub(crate) fn anywhere(args: &KeyArgs) -> Vec<Multiaddr> {
    let all = [
        "/ip4/0.0.0.0/udp/0/quic-v1",
        "/ip6/::/udp/0/quic-v1",
        "/ip4/0.0.0.0/tcp/0",
        "/ip6/::/tcp/0",
    ];
    let has_ipv6 = UdpSocket::bind("[::]:0").is_ok();
    // QUIC brings its own security, which the key of a private network cannot wrap.
    let usable = |addr: &&&str| {
        (has_ipv6 || addr.starts_with("/ip4")) && (args.psk.is_none() || addr.contains("/tcp"))
    };
    let parse = |addr: &&str| addr::parse(addr).expect("an address of ours");
    all.iter().filter(usable).map(parse).collect()
}

/// Starts a node. A name on the command line is the word of whoever typed it, wherever it leads.
pub(crate) async fn start(builder: NodeBuilder) -> Result<Host, CliError> {
    let builder = builder.address_policy(AddressPolicy::LocalNames);
    builder.start().await.map_err(|error| {
        let hint = hint(&error);
        CliError::new(Kind::Local, "starting the node")
            .because(error)
            .hint(hint)
    })
}

/// What to do about a node that does not start.
fn hint(error: &StartError) -> &'static str {
    match error {
        StartError::Host(HostStartError::Listen(error)) if needs_certificate(error) => {
            "give `sinew node` a certificate with --wss-cert and --wss-key"
        }
        StartError::Host(HostStartError::Watermarks { .. }) => {
            "change low and high under [watermarks], or the connections under [limits]"
        }
        StartError::Host(HostStartError::Listen(ListenError::NoTransport(_))) => {
            "listen on /tcp/PORT, /tcp/PORT/ws, /tcp/PORT/tls/ws, or without --psk on /udp/PORT/quic-v1"
        }
        StartError::Host(_) => "choose another address with --listen, or port 0 for any free port",
        _ => "choose another key with --key",
    }
}

fn needs_certificate(error: &ListenError) -> bool {
    let ListenError::Transport {
        error: TransportError::Failed(why),
        ..
    } = error
    else {
        return false;
    };
    let why: &(dyn Error + 'static) = &**why;
    matches!(why.downcast_ref(), Some(HandshakeError::NoCertificate))
}

/// Why a peerstore is not there.
pub(crate) fn peerstore_error(error: DiskError) -> CliError {
    CliError::new(Kind::Local, "opening the peerstore").because(error)
}

/// Connects to `addr`.
pub(crate) async fn connect(host: &Host, addr: &Multiaddr) -> Result<Connection, CliError> {
    host.dial(addr, DialOptions::default()).await.map_err(|error| {
        CliError::stack("connecting", error).hint("is the node running, and is the address as it printed it?")
    })
}

/// Connects a node to `addr`, does something there, and says goodbye however that ends.
pub(crate) async fn visit<T>(
    builder: NodeBuilder,
    addr: &Multiaddr,
    act: impl AsyncFnOnce(&Host, &Connection) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let host = start(builder).await?;
    let outcome = match connect(&host, addr).await {
        Ok(connection) => act(&host, &connection).await,
        Err(error) => Err(error),
    };
    host.shutdown(Duration::from_secs(1)).await;
    outcome
}

/// The addresses of a node with its peer id, as others dial it.
pub(crate) fn full_addrs(host: &Host) -> Vec<Multiaddr> {
    let join = |addr| addr::join_peer(addr, &host.peer_id()).ok();
    host.listen_addrs().into_iter().filter_map(join).collect()
}

/// Prints who a node is and where it listens.
pub(crate) fn announce(host: &Host, output: &Output) {
    let (peer, addrs) = (host.peer_id().to_string(), full_addrs(host));
    let texts: Vec<_> = addrs.iter().map(ToString::to_string).collect();
    output.say(
        &format!("peer id  {peer}"),
        &json!({ "event": "started", "peer": peer, "addrs": texts }),
    );
    texts
        .iter()
        .for_each(|addr| output.tell(&format!("listens  {addr}")));
}

/// A signal that no longer does by itself what it does to a process.
pub(crate) fn watch(kind: SignalKind) -> Result<Signal, CliError> {
    signal(kind).map_err(|error| CliError::io("waiting for signals", error))
}

/// Ctrl-C and SIGTERM. From its making on, they no longer end the process by themselves.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// To be made before a command says that it is ready: who reads that may send a signal at once.
    pub(crate) fn watch() -> Result<Self, CliError> {
        Ok(Self {
            interrupt: watch(SignalKind::interrupt())?,
            terminate: watch(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them, and says how a command ends that it cuts short.
    pub(crate) async fn told(&mut self) -> Kind {
        tokio::select! {
            _ = self.interrupt.recv() => Kind::Interrupted,
            _ = self.terminate.recv() => Kind::Terminated,
        }
    }
}

/// Waits for Ctrl-C or SIGTERM, and ends the node.
pub(crate) async fn until_told(host: Host, mut signals: Signals, output: &Output) {
    signals.told().await;
    end(&host, output).await;
}

/// Says so, and ends the node.
pub(crate) async fn end(host: &Host, output: &Output) {
    output.say("ending", &json!({ "event": "ending" }));
    host.shutdown(GRACE).await;
}
