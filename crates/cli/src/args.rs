//! The command line.

use crate::commands::dial;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use sinew::{Multiaddr, PeerId, addr, gossipsub::Topic};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Run, ping, identify and measure libp2p nodes, and send files between them.
#[derive(Parser, Debug)]
#[command(name = "sinew", version, about, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print one JSON object a line, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error: -v information, -vv debugging, -vvv everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Args {
    /// Reads the command line; where it is wrong, says so and ends with 2.
    pub(crate) fn read() -> Self {
        let args = Self::parse();
        if let Command::Key(KeyCommand::New { kind, bits, .. }) = &args.command
            && bits.is_some()
            && *kind != KeyKind::Rsa
        {
            let told = "--bits is for RSA keys, which --kind rsa makes; keys of other kinds have one size";
            Self::command().error(ErrorKind::ArgumentConflict, told).exit();
        }
        args
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  it worked
  1  the network or the other side failed
  2  the command line is wrong
  3  something on this machine failed: a file, a key, an address to listen on
  4  the other side, or a limit, refused
  130, 143  Ctrl-C or SIGTERM cut it short (node, chat, receive and perf serve end with 0)

Environment:
  SINEW_LOG      what to log on standard error, for instance sinew_host=debug
  SSLKEYLOGFILE  a file that gets the secrets of TLS and QUIC connections, for debugging: whoever reads it reads them";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Start two nodes, connect them, and show what they can do.
    Demo {
        /// Size of the file that is moved, in MiB.
        #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=65_536))]
        size: u64,
        /// Only over this stack; can be given several times. Over all of them otherwise.
        #[arg(long)]
        stack: Vec<Stack>,
    },
    /// Run a node until Ctrl-C or SIGTERM.
    Node(NodeArgs),
    /// List the peers that a node has written down (`sinew node --peerstore FILE`); the node must not run.
    Peers {
        /// The file.
        file: PathBuf,
    },
    /// Connect to a node once; with --explain, show what became of each of its addresses and why.
    Dial {
        /// Addresses of the node, or its peer id.
        #[arg(required = true, value_name = "ADDR|PEER", value_parser = dial::target)]
        targets: Vec<dial::Target>,
        /// Show each address: its rank, when its start was planned and was, how long it took, where and why it ended.
        #[arg(long)]
        explain: bool,
        /// Look up addresses of the peer id in this file of `sinew node --peerstore`; that node must not run.
        #[arg(long, value_name = "FILE")]
        peerstore: Option<PathBuf>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Measure how far away a node is.
    Ping {
        /// The node's address, /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW... for instance.
        #[arg(value_parser = address)]
        addr: Multiaddr,
        /// How many pings.
        #[arg(short, long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
        /// Seconds between pings.
        #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
        interval: Duration,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Ask a node what it is, what it speaks and where it listens.
    Identify {
        /// The node's address.
        #[arg(value_parser = address)]
        addr: Multiaddr,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Make, show and convert key files.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Send a file to a node that runs `sinew receive`.
    Send {
        /// The file.
        file: PathBuf,
        /// The address that `sinew receive` printed.
        #[arg(value_parser = address)]
        addr: Multiaddr,
        /// The one-time code that `sinew receive` printed.
        #[arg(long)]
        code: Option<String>,
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Take files from one peer, or from whoever knows the one-time code.
    Receive {
        /// Take files from this peer only; without it a one-time code is printed and good for one file.
        #[arg(long, value_name = "PEER")]
        from: Option<PeerId>,
        /// Where files go.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// The largest file taken, in MiB.
        #[arg(long, value_name = "MIB", default_value_t = 1024)]
        max_size: u64,
        #[command(flatten)]
        listening: Listening,
    },
    /// Talk with all who follow a topic: a line is a message.
    Chat(ChatArgs),
    /// Measure throughput and latency between two of your own machines.
    #[command(subcommand)]
    Perf(PerfCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// One of the two nodes of `sinew demo`.
    #[command(subcommand, hide = true)]
    DemoNode(DemoNode),
}

const CONFIG_FILE: &str = "\
The file of --config may have the keys listen, announce, append_announce, no_announce, key, psk, wss (cert, key), peerstore,
metrics, watermarks (low, high, grace), access (allow, deny, file) and limits (base, and any of them by its name), for instance:

  listen = [\"/ip4/0.0.0.0/tcp/4001\"]
  no_announce = [\"10.0.0.0/8\"]
  access = { deny = [\"203.0.113.0/24\"] }

docs/configuration.md says what each of them means. On SIGHUP the node reads its certificate and its access file again, and goes on if it has none.";

/// A node that runs by itself.
#[derive(ClapArgs, Debug)]
#[command(after_help = CONFIG_FILE)]
pub(crate) struct NodeArgs {
    /// Describe the node in this TOML file (see below); what is said here beside it comes first.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen; can be given several times. Free ports of all interfaces if nothing is said.
    #[arg(short, long, value_name = "ADDR", value_parser = address)]
    pub(crate) listen: Vec<Multiaddr>,
    /// What to tell others instead of what is listened on; can be given several times.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(crate) announce: Vec<Multiaddr>,
    /// The certificate to listen on /tls/ws and /wss addresses with, and those that lead from it to a root, in PEM.
    #[arg(long, value_name = "FILE", requires = "wss_key")]
    pub(crate) wss_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "wss_cert")]
    pub(crate) wss_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Keep what is known of peers in this file; it is made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(crate) peerstore: Option<PathBuf>,
    /// Answer with metrics for Prometheus on this address, 127.0.0.1:9090 for instance.
    #[arg(long, value_name = "IP:PORT", value_parser = socket_addr)]
    pub(crate) metrics: Option<SocketAddr>,
    /// The limits to start from, without those of the file.
    #[arg(long)]
    pub(crate) limits: Option<LimitsKind>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LimitsKind {
    /// What suits the memory and open files of this machine.
    Auto,
    /// The same on every machine: for 4 GiB and 16,384 open files.
    Default,
    /// As auto, but nothing is refused: what would be is logged and counted.
    DryRun,
}

const CHAT_JSON: &str = "\
It ends at the end of its input. Messages that follow each other closely may arrive in another order. On a terminal, Ctrl-R shows
again what was typed so far.

With --json each line of the input is an object, {\"text\": \"hello\"}, and each line of the output an event: started, not_reached,
alone, joined, left, message (peer, text), sent (id, peers), not_sent (error), lost (events), ending.";

/// A node that talks.
#[derive(ClapArgs, Debug)]
#[command(after_help = CHAT_JSON)]
pub(crate) struct ChatArgs {
    /// What it is about. Whoever follows the topic and is connected, also through others who follow it, reads along.
    #[arg(value_parser = topic)]
    pub(crate) topic: Topic,
    /// Nodes to connect to, as `sinew chat` printed them there; without one, others connect to this node.
    #[arg(value_name = "ADDR", value_parser = address)]
    pub(crate) addrs: Vec<Multiaddr>,
    /// A name to write before each message. Readers have your word for it; what is signed is the peer id.
    #[arg(short, long, value_name = "NICK", value_parser = nick)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) listening: Listening,
}

/// Where a node listens and who it is.
#[derive(ClapArgs, Debug)]
pub(crate) struct Listening {
    /// Where to listen; can be given several times. Free ports of all interfaces if nothing is said.
    #[arg(short, long, value_name = "ADDR", value_parser = address)]
    pub(crate) listen: Vec<Multiaddr>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// Which key a command uses.
#[derive(ClapArgs, Debug)]
pub(crate) struct KeyArgs {
    /// The key file; made if it is not there. Without it commands that listen (node, receive, perf serve) use
    /// ~/.config/sinew/node.key, and those that dial, and chat, a fresh key.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The swarm.key file of a private network: the node talks with nobody else.
    #[arg(long, value_name = "FILE")]
    pub(crate) psk: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Make a key and write it into a new file.
    New {
        /// The file; it must not exist.
        file: PathBuf,
        /// The kind of key.
        #[arg(short, long, default_value = "ed25519")]
        kind: KeyKind,
        /// Bits of an RSA key, 2048 if not said; keys of other kinds have one size.
        #[arg(long)]
        bits: Option<usize>,
        /// The form of the file.
        #[arg(short, long, default_value = "libp2p")]
        format: Format,
    },
    /// Show the peer id and public key of a key file.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// Write a key in another form.
    Convert {
        /// The file to read, in any form.
        from: PathBuf,
        /// The file to write; it must not exist.
        to: PathBuf,
        /// The form to write.
        #[arg(short, long)]
        format: Format,
    },
    /// Make and show the pre-shared key of a private network.
    #[command(subcommand)]
    Psk(PskCommand),
}

#[derive(Subcommand, Debug)]
pub(crate) enum PskCommand {
    /// Make a key and write it into a new swarm.key file.
    New {
        /// The file; it must not exist.
        file: PathBuf,
    },
    /// Show the fingerprint of a swarm.key file: two nodes of one network show the same.
    Show {
        /// The file.
        file: PathBuf,
    },
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyKind {
    Ed25519,
    Secp256k1,
    Ecdsa,
    Rsa,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// The protobuf of libp2p, as go-libp2p and kubo write it.
    Libp2p,
    /// PKCS#8 in PEM.
    Pem,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PerfCommand {
    /// Serve measurements until Ctrl-C or SIGTERM.
    Serve(Listening),
    /// Measure against a node that runs `sinew perf serve`.
    Run {
        /// The address that `sinew perf serve` printed.
        #[arg(value_parser = address)]
        addr: Multiaddr,
        /// Bytes in each direction and stream.
        #[arg(long, conflicts_with = "duration")]
        bytes: Option<u64>,
        /// Streams side by side; `sinew perf serve` takes 64 of one peer.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
        streams: u32,
        /// Seconds for each direction; 5 unless --bytes is given.
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        duration: Option<Duration>,
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum DemoNode {
    /// The node that is dialled.
    Listen {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        from: PeerId,
        #[arg(long)]
        stack: Stack,
    },
    /// The node that dials.
    Dial {
        #[arg(value_parser = address)]
        addr: Multiaddr,
        #[arg(long)]
        file: PathBuf,
        #[arg(long)]
        key: PathBuf,
        #[arg(long)]
        stack: Stack,
    },
}

/// What lies between two nodes of the demo.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stack {
    Quic,
    TcpTls,
    TcpNoise,
    Ws,
    Wss,
}

fn address(text: &str) -> Result<Multiaddr, String> {
    addr::parse(text).map_err(|error| format!("{error}; an address looks like /ip4/192.0.2.1/tcp/4001"))
}

fn topic(text: &str) -> Result<Topic, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn nick(text: &str) -> Result<String, String> {
    let name = text.trim();
    match name.chars().count() {
        1..=32 if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        _ => Err("a name has 1 to 32 characters".into()),
    }
}

fn socket_addr(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "an IP address and a port are needed, 127.0.0.1:9090 for instance".into())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is no number of seconds"))?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(86_400) {
        Err("at most a day".into())
    } else {
        Ok(duration)
    }
}
