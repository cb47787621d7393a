//! Every test: a row with its name, where it applies and how it goes.

use clap::ValueEnum;
use serde::Deserialize;

use super::{
    contract::{self, Kind, gossipsub::Scenario},
    node::StepError,
    pair::Pair,
    peers::Peer,
    stack::Stack,
    steps::{
        close_code, echo, identify, identify_and_ping, idontwant, leave, leave_topic, limits, many_streams,
        network, partial, ping, publish, push, reset, reset_code, sizes, slow_reader, streams,
        test_extension, wrong_peer,
    },
};

/// Each security that proves an identity key in a way of its own, and each muxer with flow control: where tests run that would
/// take too long over all stacks.
const FEW_STACKS: [&str; 3] = ["tcp, noise, yamux", "tcp, tls, yamux", "quic-v1"];

/// What belongs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// The official transport suite: a dial and a ping, by its contract.
    Transport,
    /// The official perf suite: uploads, downloads and latency, by its contract.
    Perf,
    /// The official gossipsub suite: many nodes, by its contract.
    Gossipsub,
    /// What the official suites do not cover, by our control protocol.
    Control,
    /// Publish and subscribe, likewise.
    Pubsub,
}

/// One test.
#[derive(Debug)]
pub(crate) struct Test {
    /// Its name, which ends the ids.
    pub(crate) name: &'static str,
    /// How the two programs are started.
    pub(crate) setup: Setup,
    /// Whether this dialler can run it with this listener over this stack.
    applies: fn(&Peer, &Peer, &Stack) -> bool,
    /// How it goes.
    pub(crate) run: Run,
}

/// How two programs are started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// The type of both sides' keys.
    pub(crate) key_type: &'static str,
    /// How the dialler is told `wss`; in its own spelling if none is set.
    pub(crate) spelling: Option<&'static str>,
    /// Whether ours leaves the muxer out of the handshake of the security.
    pub(crate) late_muxer: bool,
    /// Whether ours has both muxers, and not the one of the stack alone.
    pub(crate) both_muxers: bool,
    /// Whether the programs keep the default limits of their libraries.
    pub(crate) default_limits: bool,
    /// With what they publish and subscribe.
    pub(crate) pubsub: Option<Pubsub>,
    /// Who takes part beside the two.
    pub(crate) company: Company,
}

/// With what two programs publish and subscribe; others do as the dialler does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pubsub {
    pub(crate) dialer: Protocol,
    pub(crate) listener: Protocol,
    /// Whether messages have neither author nor signature.
    pub(crate) anonymous: bool,
    /// Whether messages come in parts.
    pub(crate) partial: bool,
}

/// A pub/sub protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Gossipsub,
    Floodsub,
}

impl Protocol {
    /// What `--pubsub` takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gossipsub => "gossipsub",
            Self::Floodsub => "floodsub",
        }
    }
}

/// Who takes part in a test beside dialler and listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Nobody.
    None,
    /// Another one of the dialler's kind.
    Another,
    /// So many of all kinds that there are twenty.
    Everybody,
}

/// As most tests have it.
const PLAIN: Setup = Setup {
    key_type: "ed25519",
    spelling: None,
    late_muxer: false,
    both_muxers: false,
    default_limits: false,
    pubsub: None,
    company: Company::None,
};

/// How a test goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// As steps that two programs are asked to do.
    Control(Steps),
    /// By the contract of an official suite.
    Contract(Kind),
    /// By the command line of the perf of the older test plans.
    LegacyPerf,
    /// As a scenario of the gossipsub suite, with many nodes of the dialler's program.
    Gossipsub(Scenario),
}

/// What the two programs are asked to do.
pub(crate) type Steps = fn(&mut Pair<'_>) -> Result<(), StepError>;

/// In the order of the tables.
pub(crate) static TESTS: [Test; 41] = [
    contract("transport", in_public, Kind::Transport),
    contract("transport-legacy", in_public_by_us, Kind::LegacyTransport),
    contract("perf", in_public_with_a_common_dialect, Kind::Perf),
    LEGACY_PERF,
    gossipsub("subnet-blob-msg", Scenario::SubnetBlob),
    gossipsub("simple-fanout", Scenario::SimpleFanout),
    gossipsub("partial-messages", Scenario::PartialMessages),
    gossipsub("partial-messages-chain", Scenario::PartialMessagesChain),
    gossipsub("partial-messages-fanout", Scenario::PartialMessagesFanout),
    control("wrong-peer", always, wrong_peer),
    control("identify", always, identify),
    control("ping", always, ping),
    control("push", always, push),
    control("echo", always, echo),
    control("streams", always, streams),
    control("reset", always, reset),
    control("sizes", over_few, sizes),
    control("slow-reader", over_few, slow_reader),
    control("many-streams", over_few, many_streams),
    control("leave", always, leave),
    control("reset-code", with_codes, reset_code),
    control("close-code", with_codes, close_code),
    key("key-secp256k1", "secp256k1"),
    key("key-ecdsa", "ecdsa"),
    key("key-rsa", "rsa"),
    spelling("spelling-tls-ws", "/tls/ws"),
    spelling("spelling-wss", "/wss"),
    spelling("spelling-tls-sni-ws", "/tls/sni/localhost/ws"),
    LATE_MUXER,
    BOTH_MUXERS,
    LIMITS,
    pubsub("gossipsub", over_one, GOSSIPSUB, publish),
    pubsub(
        "gossipsub-anonymous",
        where_gossip_is_anonymous,
        ANONYMOUS_GOSSIPSUB,
        publish,
    ),
    pubsub("gossipsub-leave", over_one, GOSSIPSUB, leave_topic),
    pubsub("floodsub", over_one, FLOODSUB, publish),
    pubsub(
        "floodsub-anonymous",
        where_floods_are_anonymous,
        ANONYMOUS_FLOODSUB,
        publish,
    ),
    pubsub("gossipsub-to-floodsub", over_one, GOSSIPSUB_TO_FLOODSUB, publish),
    pubsub("test-extension", with_test_extension, GOSSIPSUB, test_extension),
    pubsub("partial", with_partial, PARTIAL_GOSSIPSUB, partial),
    IDONTWANT,
    NETWORK,
];

const LEGACY_PERF: Test = Test {
    run: Run::LegacyPerf,
    ..contract("perf-legacy", by_us_as_by_default, Kind::Perf)
};

const LATE_MUXER: Test = Test {
    setup: Setup {
        late_muxer: true,
        ..PLAIN
    },
    ..control("late-muxer", where_muxers_are_early, ping)
};

const BOTH_MUXERS: Test = Test {
    setup: Setup {
        both_muxers: true,
        ..PLAIN
    },
    ..control("both-muxers", where_muxers_are_chosen, ping)
};

const LIMITS: Test = Test {
    setup: Setup {
        default_limits: true,
        ..PLAIN
    },
    ..control("limits", over_one, limits)
};

const GOSSIPSUB: Pubsub = Pubsub {
    dialer: Protocol::Gossipsub,
    listener: Protocol::Gossipsub,
    anonymous: false,
    partial: false,
};

const ANONYMOUS_GOSSIPSUB: Pubsub = Pubsub {
    anonymous: true,
    ..GOSSIPSUB
};

const PARTIAL_GOSSIPSUB: Pubsub = Pubsub {
    partial: true,
    ..GOSSIPSUB
};

const FLOODSUB: Pubsub = Pubsub {
    dialer: Protocol::Floodsub,
    listener: Protocol::Floodsub,
    ..GOSSIPSUB
};

const ANONYMOUS_FLOODSUB: Pubsub = Pubsub {
    anonymous: true,
    ..FLOODSUB
};

const GOSSIPSUB_TO_FLOODSUB: Pubsub = Pubsub {
    listener: Protocol::Floodsub,
    ..GOSSIPSUB
};

const IDONTWANT: Test = Test {
    setup: Setup {
        pubsub: Some(GOSSIPSUB),
        company: Company::Another,
        ..PLAIN
    },
    ..control("idontwant", over_one, idontwant)
};

const NETWORK: Test = Test {
    setup: Setup {
        pubsub: Some(GOSSIPSUB),
        company: Company::Everybody,
        ..PLAIN
    },
    ..control("network", over_one, network)
};

const fn pubsub(
    name: &'static str,
    applies: fn(&Peer, &Peer, &Stack) -> bool,
    pubsub: Pubsub,
    steps: Steps,
) -> Test {
    Test {
        setup: Setup {
            pubsub: Some(pubsub),
            ..PLAIN
        },
        ..control(name, applies, steps)
    }
}

const fn control(name: &'static str, applies: fn(&Peer, &Peer, &Stack) -> bool, steps: Steps) -> Test {
    Test {
        name,
        setup: PLAIN,
        applies,
        run: Run::Control(steps),
    }
}

const fn contract(name: &'static str, applies: fn(&Peer, &Peer, &Stack) -> bool, kind: Kind) -> Test {
    Test {
        name,
        setup: PLAIN,
        applies,
        run: Run::Contract(kind),
    }
}

const fn gossipsub(name: &'static str, scenario: Scenario) -> Test {
    Test {
        name,
        setup: PLAIN,
        applies: by_us_over_one,
        run: Run::Gossipsub(scenario),
    }
}

const fn key(name: &'static str, key_type: &'static str) -> Test {
    Test {
        setup: Setup { key_type, ..PLAIN },
        ..control(name, over_few, identify_and_ping)
    }
}

const fn spelling(name: &'static str, spelling: &'static str) -> Test {
    Test {
        setup: Setup {
            spelling: Some(spelling),
            ..PLAIN
        },
        ..control(name, over_secure_websockets, ping)
    }
}

/// Which suite a test of this name belongs to.
pub(crate) fn suite_of(name: &str) -> Option<Suite> {
    TESTS.iter().find(|test| test.name == name).map(Test::suite)
}

impl Test {
    /// Which suite it belongs to.
    pub(crate) fn suite(&self) -> Suite {
        match self.run {
            Run::Control(_) if self.setup.pubsub.is_some() => Suite::Pubsub,
            Run::Control(_) => Suite::Control,
            Run::Contract(Kind::Transport | Kind::LegacyTransport) => Suite::Transport,
            Run::Contract(Kind::Perf) | Run::LegacyPerf => Suite::Perf,
            Run::Gossipsub(_) => Suite::Gossipsub,
        }
    }

    /// What this machine lacks to run it, if anything.
    pub(crate) fn lacks(&self) -> Option<String> {
        match self.run {
            Run::Gossipsub(_) => contract::gossipsub::lacks(),
            _ => None,
        }
    }

    /// Whether this dialler can run it with this listener over this stack. Ours with ours run the contracts, and what everybody
    /// takes part in: the rest are tests of the crates.
    pub(crate) fn fits(&self, dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
        let has_key = |peer: &Peer| peer.key_types.iter().any(|kind| kind == self.setup.key_type);
        let spells = |spelling: &str| dialer.spellings.iter().any(|known| known == spelling);
        let is_alone = dialer.is_ours() && listener.is_ours();
        let is_meant = match self.run {
            Run::Control(_) => is_alone == (self.setup.company == Company::Everybody),
            _ => true,
        };
        is_meant
            && has_key(dialer)
            && has_key(listener)
            && self.setup.spelling.is_none_or(spells)
            && (self.applies)(dialer, listener, stack)
    }
}

fn always(_: &Peer, _: &Peer, _: &Stack) -> bool {
    true
}

/// mplex and the secured bytes below it carry no codes.
fn with_codes(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    let muxer = stack.upgrade.as_ref().map(|upgrade| upgrade.muxer.as_str());
    dialer.codes && listener.codes && muxer != Some("mplex")
}

fn over_few(_: &Peer, _: &Peer, stack: &Stack) -> bool {
    FEW_STACKS.contains(&stack.to_string().as_str())
}

/// What is above the address makes no difference to it.
fn over_secure_websockets(_: &Peer, _: &Peer, stack: &Stack) -> bool {
    stack.to_string() == "wss, noise, yamux"
}

/// Where it makes a difference that ours leaves the muxer out of the handshake.
fn where_muxers_are_early(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    let has_us = dialer.is_ours() || listener.is_ours();
    has_us && stack.transport == "tcp" && !stack.private && stack.has_early_muxer([dialer, listener])
}

/// Where the other side has only the muxer of the stack.
fn where_muxers_are_chosen(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    (dialer.is_ours() || listener.is_ours()) && stack.transport == "tcp" && !stack.private
}

/// Where what is tested is the library above the stack.
fn over_one(_: &Peer, _: &Peer, stack: &Stack) -> bool {
    stack.to_string() == "tcp, noise, yamux"
}

fn where_gossip_is_anonymous(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    are_anonymous(Protocol::Gossipsub, dialer, listener) && over_one(dialer, listener, stack)
}

fn where_floods_are_anonymous(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    are_anonymous(Protocol::Floodsub, dialer, listener) && over_one(dialer, listener, stack)
}

fn are_anonymous(protocol: Protocol, dialer: &Peer, listener: &Peer) -> bool {
    [dialer, listener]
        .iter()
        .all(|peer| peer.anonymous.contains(&protocol))
}

fn with_test_extension(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    dialer.test_extension && listener.test_extension && over_one(dialer, listener, stack)
}

fn with_partial(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    dialer.partial && listener.partial && over_one(dialer, listener, stack)
}

/// The gossipsub suite has one stack, and here many nodes of one program.
fn by_us_over_one(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    dialer.is_ours() && listener.is_ours() && over_one(dialer, listener, stack)
}

/// The official suites know no private networks.
fn in_public(_: &Peer, _: &Peer, stack: &Stack) -> bool {
    !stack.private
}

/// The other programs know one spelling of the environment.
fn in_public_by_us(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    !stack.private && dialer.is_ours() && listener.is_ours()
}

/// The stacks of the older perf, whose programs choose the security themselves.
fn by_us_as_by_default(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    let is_default = ["tcp, tls, yamux", "quic-v1"].contains(&stack.to_string().as_str());
    is_default && in_public_by_us(dialer, listener, stack)
}

/// Two dialects of perf have the same name.
fn in_public_with_a_common_dialect(dialer: &Peer, listener: &Peer, stack: &Stack) -> bool {
    !stack.private && dialer.perf.iter().any(|dialect| listener.perf.contains(dialect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_has_a_name_of_its_own() {
        for (number, test) in TESTS.iter().enumerate() {
            assert!(
                TESTS[..number].iter().all(|other| other.name != test.name),
                "{}",
                test.name
            );
        }
    }
}
