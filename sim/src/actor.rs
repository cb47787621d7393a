//! The machine of a node, whichever it is. The words are gossipsub's, which has all of floodsub's.

use crate::attacker::Attacker;
use sinew_floodsub::{self as floodsub, News};
use sinew_gossipsub::{Command, Counts, Job, Machine, Notice, Output, PROTOCOLS, Reply};
use sinew_machine::{CallId, Effect, EffectsOf, Input, InputOf, Instant, PeerMachine, ProtocolId};

/// The machine of a node.
pub(crate) enum Actor {
    /// Gossipsub.
    Gossipsub(Box<Machine>),
    /// Floodsub.
    Floodsub(Box<floodsub::Machine>),
    /// None that keeps to a protocol.
    Attacker(Box<Attacker>),
}

/// What a node speaks, best first.
pub(crate) fn protocols(is_floodsub: bool) -> &'static [ProtocolId] {
    static FLOODSUB: [ProtocolId; 1] = [floodsub::PROTOCOL];
    static GOSSIPSUB: [ProtocolId; 5] = PROTOCOLS;
    if is_floodsub { &FLOODSUB } else { &GOSSIPSUB }
}

impl PeerMachine for Actor {
    type Command = Command;
    type Reply = Reply;
    type Message = floodsub::Rpc;
    type Event = Notice;
    type Job = Job;
    type Output = Output;

    fn handle(&mut self, now: Instant, input: InputOf<Self>, out: &mut EffectsOf<Self>) {
        match self {
            Self::Gossipsub(machine) => machine.handle(now, input, out),
            Self::Floodsub(machine) => {
                let mut effects = Vec::new();
                match to_floodsub(input) {
                    Ok(input) => machine.handle(now, input, &mut effects),
                    // As if nobody were there.
                    Err(call) => {
                        let reply = Reply::Peers(Vec::new());
                        out.push(Effect::Return { call, reply });
                    }
                }
                out.extend(effects.into_iter().map(from_floodsub));
            }
            Self::Attacker(attacker) => attacker.handle(now, input, out),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Gossipsub(machine) => machine.deadline(),
            Self::Floodsub(machine) => machine.deadline(),
            Self::Attacker(attacker) => Some(attacker.deadline()),
        }
    }
}

/// An error for a call that floodsub has no word for.
fn to_floodsub(input: InputOf<Actor>) -> Result<InputOf<floodsub::Machine>, CallId> {
    Ok(match input {
        Input::Timeout => Input::Timeout,
        Input::Call { call, command } => {
            let command = match command {
                Command::Follow(topics) => floodsub::Command::Follow(topics),
                Command::Publish(message) => floodsub::Command::Publish(message),
                Command::Counts => floodsub::Command::Counts,
                _ => return Err(call),
            };
            Input::Call { call, command }
        }
        Input::Peer(state) => Input::Peer(state),
        Input::Stream(input) => Input::Stream(input),
        Input::Ran { token, output } => {
            let output = match output {
                Some(Output::Checked(checked)) => Some(checked),
                _ => None,
            };
            Input::Ran { token, output }
        }
    })
}

fn from_floodsub(effect: Effect<News, floodsub::Reply, floodsub::Job>) -> Effect<Notice, Reply, Job> {
    match effect {
        Effect::Open { token, peer } => Effect::Open { token, peer },
        Effect::Send { stream, frame } => Effect::Send { stream, frame },
        Effect::Reset { stream, code } => Effect::Reset { stream, code },
        Effect::Run { token, job } => {
            let job = Job::Check(job.0);
            Effect::Run { token, job }
        }
        Effect::Return { call, reply } => {
            let reply = match reply {
                floodsub::Reply::Followed => Reply::Done,
                floodsub::Reply::Published(to) => Reply::Published(to),
                floodsub::Reply::Followers(peers) => Reply::Peers(peers),
                floodsub::Reply::Counts(counts) => Reply::Counts(Box::new(counted(counts))),
            };
            Effect::Return { call, reply }
        }
        Effect::Keep { peer, tag, weight } => Effect::Keep { peer, tag, weight },
        Effect::Emit(news) => Effect::Emit(Notice::News(news)),
    }
}

fn counted(floodsub: floodsub::Counts) -> Counts {
    let mut counts = Counts::default();
    counts.duplicates = floodsub.duplicates;
    counts.forged = floodsub.forged;
    counts.dropped = floodsub.dropped;
    counts.unsent = floodsub.unsent;
    counts
}
