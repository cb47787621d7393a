//! Two running peers, and the connection between them.

use std::{path::Path, process::Command, thread::Scope, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cases::Case,
    node::{Node, StepError},
    peers::{Peer, Places},
    rows::Setup,
    stack::Stack,
    steps::TOPIC,
};

/// For everything that takes some round trips.
pub(super) const SHORT: Duration = Duration::from_secs(15);

/// The key of the private network, in hex.
const PRE_SHARED_KEY: &str = "73696e65772d696e7465726f702d707269766174652d6e6574776f726b2d3031";

/// One side: the running program, and what is known of it.
pub(super) struct Side<'a> {
    pub(super) node: Node,
    pub(super) about: &'a Peer,
}

/// Two sides of a stack, and in some tests others beside them.
pub(super) struct Pair<'a> {
    pub(super) dialer: Side<'a>,
    pub(super) listener: Side<'a>,
    pub(super) others: Vec<Side<'a>>,
    pub(super) stack: Stack,
    pub(super) setup: Setup,
    /// Where the listener listens, with its peer id, as the dialler spells it.
    pub(super) addr: String,
    is_connected: bool,
    is_over: bool,
}

#[derive(Deserialize)]
struct Listening {
    addrs: Vec<String>,
}

#[derive(Deserialize)]
struct Dialled {
    peer: String,
}

/// What a side says of a connection; a library that does not tell leaves a field out.
#[derive(Deserialize)]
struct Connected {
    transport: Option<String>,
    security: Option<String>,
    muxer: Option<String>,
    early_muxer: Option<bool>,
}

impl<'a> Pair<'a> {
    /// Starts the programs, their logs in `folder`; the listener listens.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        case: &Case<'a>,
        places: &Places,
        folder: &Path,
    ) -> Result<Self, StepError> {
        let side = |role: &str, about: &'a Peer| {
            let command = command(case, (role, about), places);
            let node = Node::start(scope, role, command, folder)?;
            Ok(Side { node, about })
        };
        let mut listener = side("listener", case.listener)?;
        let dialer = side("dialer", case.dialer)?;
        let others = case.others.iter().enumerate();
        let others: Result<_, _> = others
            .map(|(number, about)| side(&format!("{} {number}", about.id), about))
            .collect();
        let addr = listener.listen(&case.stack)?;
        let setup = case.test.setup;
        let spelling = setup.spelling.unwrap_or(&case.dialer.secure_websocket);
        Ok(Self {
            addr: spelled(&addr, spelling),
            dialer,
            listener,
            others: others?,
            stack: case.stack.clone(),
            setup,
            is_connected: false,
            is_over: false,
        })
    }

    /// Connects them unless they are, and checks that the connection is made of what the test names.
    pub(super) fn connect(&mut self) -> Result<(), StepError> {
        if self.is_connected {
            return Ok(());
        }
        let before = [
            self.dialer.node.count("connected")?,
            self.listener.node.count("connected")?,
        ];
        let addr = self.addr.clone();
        let peer = self.dial(&addr)?;
        expect_eq(
            &self.dialer.node,
            "the peer that was dialled",
            self.listener.node.peer(),
            &peer,
        )?;
        let sides = [self.dialer.about, self.listener.about];
        // Over Noise a listener with several muxers names none.
        let names = !self.setup.both_muxers || !self.listener.about.is_ours() || !self.stack.is_over_noise();
        let early = !self.setup.late_muxer && names && self.stack.has_early_muxer(sides);
        for (side, before) in [&mut self.dialer, &mut self.listener].into_iter().zip(before) {
            let event = side.node.event_after("connected", before, SHORT)?;
            side.check_connected(event, &self.stack, early)?;
        }
        self.is_connected = true;
        Ok(())
    }

    /// Dials an address; gives the peer that is there.
    pub(super) fn dial(&mut self, addr: &str) -> Result<String, StepError> {
        let dialled: Dialled = self.dialer.node.ask("dial", json!({ "addr": addr }), SHORT)?;
        Ok(dialled.peer)
    }

    /// Notes that the connection has ended.
    pub(super) fn disconnected(&mut self) {
        self.is_connected = false;
    }

    /// Everybody: the dialler, the listener, then the others.
    pub(super) fn sides(&mut self) -> Vec<&mut Side<'a>> {
        let mut sides = vec![&mut self.dialer, &mut self.listener];
        sides.extend(&mut self.others);
        sides
    }

    /// Ends the programs.
    pub(super) fn stop(&mut self) -> Result<(), StepError> {
        self.stop_dialer()?;
        self.listener.node.stop()?;
        self.others.iter_mut().try_for_each(|side| side.node.stop())
    }

    /// Ends the dialler.
    pub(super) fn stop_dialer(&mut self) -> Result<(), StepError> {
        self.is_over = true;
        self.dialer.node.stop()
    }

    /// Whether a program has ended, so that no more tests can be run.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Side<'_> {
    /// Listens on a free port, and gives the address with the peer id.
    pub(super) fn listen(&mut self, stack: &Stack) -> Result<String, StepError> {
        let addr = stack.listen_addr(&self.about.secure_websocket);
        let listening: Listening = self.node.ask("listen", json!({ "addr": addr }), SHORT)?;
        let first = listening.addrs.into_iter().next();
        first.ok_or_else(|| self.node.differs("new listen addresses", "one", "none"))
    }

    /// The address in this side's spelling.
    pub(super) fn spelled(&self, addr: &str) -> String {
        spelled(addr, &self.about.secure_websocket)
    }

    /// What this side says of a connection is what it was asked for; ours has to say everything.
    fn check_connected(&self, event: Value, stack: &Stack, early: bool) -> Result<(), StepError> {
        let text = event.to_string();
        let Ok(found) = serde_json::from_value::<Connected>(event) else {
            return Err(self.node.differs("a connected event", "its fields", text));
        };
        let layers = [
            ("the transport", Some(stack.transport.as_str()), found.transport),
            ("the security", stack.security_id(), found.security),
            ("the muxer", stack.muxer_id(), found.muxer),
        ];
        for (what, expected, found) in layers {
            let is_told = self.about.is_ours() || found.is_some();
            if is_told && expected != found.as_deref() {
                let text = |layer: Option<&str>| layer.unwrap_or("none").to_owned();
                return Err(self.node.differs(what, text(expected), text(found.as_deref())));
            }
        }
        match found.early_muxer {
            Some(found) => expect_eq(&self.node, "the muxer settled in the handshake", &early, &found),
            None if self.about.is_ours() => Err(self.node.differs("a connected event", "early_muxer", text)),
            None => Ok(()),
        }
    }
}

/// The address with secure WebSockets, as any peer announces them, in this spelling.
fn spelled(addr: &str, spelling: &str) -> String {
    addr.replace("/wss", "/tls/ws").replace("/tls/ws", spelling)
}

/// The command that starts a side's program.
fn command(case: &Case<'_>, (role, about): (&str, &Peer), places: &Places) -> Command {
    let mut command = about.program(places);
    let stack = case.stack.argument();
    command.args(["control", "--key", case.test.setup.key_type, "--stack", &stack]);
    if case.stack.private {
        command.args(["--psk", PRE_SHARED_KEY]);
    }
    if case.stack.transport == "wss" {
        command.arg("--tls").arg(places.tls());
    }
    if about.is_ours() && case.test.setup.late_muxer {
        command.arg("--late-muxer");
    }
    if about.is_ours() && case.test.setup.both_muxers {
        command.arg("--both-muxers");
    }
    if about.refuses_streams && case.test.setup.default_limits {
        command.arg("--default-limits");
    }
    if let Some(pubsub) = case.test.setup.pubsub {
        let protocol = match role {
            "listener" => pubsub.listener,
            _ => pubsub.dialer,
        };
        command.args(["--pubsub", protocol.name()]);
        if pubsub.anonymous {
            command.arg("--anonymous");
        }
        if pubsub.partial {
            command.args(["--partial", TOPIC]);
        }
    }
    command
}

/// An error that says what was expected, unless that is what was found.
pub(super) fn expect_eq<T: PartialEq + ToString + ?Sized>(
    node: &Node,
    what: &'static str,
    expected: &T,
    found: &T,
) -> Result<(), StepError> {
    if expected == found {
        Ok(())
    } else {
        Err(node.differs(what, expected.to_string(), found.to_string()))
    }
}
