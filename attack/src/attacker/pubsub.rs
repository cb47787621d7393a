//! Peers that misuse gossipsub: each says what it says again and again, and opens another stream when the target resets one, until
//! its connection is cut.

mod peer;
mod rpcs;

use super::{
    Aim,
    outcome::{Outcome, rest},
};
use crate::error::AttackError;
use bytes::Bytes;
use peer::{Kind, Peer};
use sinew_core::MuxedStream;
use sinew_floodsub::{Control, MAX_IDS, MAX_RPC, Message, MessageId, join};
use sinew_identity::Keypair;
use std::{
    io,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Peers that flood, each from an address of its own.
const FLOODERS: usize = 4;

/// Bytes of RPCs in one write, or little more.
const BATCH: usize = 64 << 10;

/// RPCs that are made beforehand, where they are long.
const LONG: u64 = 16;

/// The same where they are short.
const SHORT: u64 = 1024;

/// How long to wait where nothing can be said, and before a stream that was refused is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// Peers of a mesh, and others that are sent everything, none of which read.
const UNREAD: (usize, usize) = (4, 20);

/// The data of a message while the topic is busy: a hundred of them a second.
const BUSY: usize = 16 << 10;

/// Peers that come into a mesh and hand nothing on, two of each address: fewer than are held against it.
const SYBILS: usize = 100;

/// The time between two words of peers that do not flood.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// One attacking peer.
#[derive(Clone)]
struct Attacker {
    kind: Kind,
    hello: Bytes,
    talk: Talk,
    /// Between two RPCs; as many as the target takes if it is zero.
    pause: Duration,
}

/// What a peer says after it has said hello.
#[derive(Clone)]
enum Talk {
    /// These, and again.
    Of(Arc<[Bytes]>),
    /// It asks for the messages that it was sent, each as often as one RPC can.
    Iwant,
    /// It sends the messages that it was sent, and these.
    Replay(Arc<[Message]>),
    /// It publishes, as it may.
    Publish,
}

/// Attacks, and says what became of each peer.
pub(super) async fn run(aim: &Aim, row: &str) -> Result<Vec<Outcome>, AttackError> {
    let attackers = match row {
        "pubsub-unread" => unread(),
        "pubsub-sybils" => sybils(),
        row => vec![Attacker::flooding(talk(row)?, row == "pubsub-partial"); FLOODERS],
    };
    let mut all = JoinSet::new();
    for (number, attacker) in attackers.into_iter().enumerate() {
        all.spawn(attack(aim.clone(), number % 50, attacker));
    }
    Ok(all.join_all().await)
}

fn talk(row: &str) -> Result<Talk, AttackError> {
    let key = &Keypair::generate();
    let long = |say: fn() -> Bytes| Talk::Of((0..LONG).map(|_| say()).collect());
    let forged = |count, bytes| (1 << 60..(1 << 60) + count).map(move |n| rpcs::forged(key, n, bytes));
    Ok(match row {
        "pubsub-oversized" => Talk::Of([rpcs::oversized()].into()),
        "pubsub-huge" => Talk::Of([rpcs::nothing(MAX_RPC)].into()),
        "pubsub-broken" => Talk::Of((0..3).map(rpcs::broken).collect()),
        "pubsub-topics" => long(rpcs::topics),
        "pubsub-toggles" => long(rpcs::toggles),
        "pubsub-ihave" => long(rpcs::ihave),
        "pubsub-iwant" => Talk::Iwant,
        "pubsub-graft" => long(rpcs::graft_and_prune),
        "pubsub-idontwant" => long(rpcs::idontwant),
        "pubsub-forged" => Talk::Of(forged(SHORT, 1 << 10).collect()),
        "pubsub-forged-huge" => Talk::Of(forged(LONG, 1020 << 10).collect()),
        "pubsub-replayed" => {
            let same_number = [0, 1].map(|data| rpcs::signed(key, 1 << 60, vec![data]));
            Talk::Replay(same_number.into())
        }
        "pubsub-partial" => Talk::Of((0..LONG).map(rpcs::parts).collect()),
        unknown => return Err(AttackError::NoRow(unknown.to_owned())),
    })
}

fn unread() -> Vec<Attacker> {
    let reader = |kind| Attacker {
        kind,
        hello: rpcs::hello(),
        talk: Talk::Of([rpcs::hello()].into()),
        pause: NOW_AND_THEN,
    };
    let (in_mesh, in_none) = UNREAD;
    let mut all = vec![reader(Kind::Unread); in_mesh];
    all.extend(vec![reader(Kind::UnreadFloodsub); in_none]);
    all.push(Attacker {
        talk: Talk::Publish,
        pause: PAUSE,
        ..reader(Kind::Gossipsub)
    });
    all
}

fn sybils() -> Vec<Attacker> {
    let sybil = Attacker {
        pause: NOW_AND_THEN,
        ..Attacker::flooding(Talk::Of([rpcs::hello()].into()), false)
    };
    vec![sybil; SYBILS]
}

impl Attacker {
    fn flooding(talk: Talk, parts: bool) -> Self {
        Self {
            kind: Kind::Gossipsub,
            hello: if parts {
                rpcs::hello_of_parts()
            } else {
                rpcs::hello()
            },
            talk,
            pause: Duration::ZERO,
        }
    }
}

/// Attacks until the time is over, or the target closes the connection.
async fn attack(aim: Aim, number: usize, attacker: Attacker) -> Outcome {
    let Ok(peer) = Peer::connect(&aim, number, attacker.kind).await else {
        return Outcome::default();
    };
    let (from, mut outcome) = (Instant::now(), Outcome::of(None, 0));
    let attacking = async {
        loop {
            let Ok(stream) = peer.open().await else {
                sleep(PAUSE).await;
                continue;
            };
            // It fails when the target resets the stream, and never ends otherwise.
            let _ = attacker.say(&peer, stream, &mut outcome.sent).await;
            outcome.resets += 1;
        }
    };
    let cut = timeout(aim.lasting, async {
        tokio::select! {
            () = attacking => {}
            () = peer.closed() => {}
        }
    });
    outcome.cut = cut.await.is_ok().then(|| from.elapsed());
    rest(from, aim.lasting).await;
    outcome
}

impl Attacker {
    async fn say(&self, peer: &Peer, mut stream: Box<dyn MuxedStream>, said: &mut u64) -> io::Result<()> {
        stream.write_all(&self.hello).await?;
        let mut batch = Vec::new();
        loop {
            batch.clear();
            while let Some(rpc) = self.talk.next(peer, *said) {
                batch.extend(&rpc);
                *said += 1;
                if !self.pause.is_zero() || batch.len() >= BATCH {
                    break;
                }
            }
            stream.write_all(&batch).await?;
            stream.flush().await?;
            match batch.is_empty() {
                true => sleep(PAUSE).await,
                false if self.pause.is_zero() => tokio::task::yield_now().await,
                false => sleep(self.pause).await,
            }
        }
    }
}

impl Talk {
    /// The next RPC, after so many; `None` if there is none yet.
    fn next(&self, peer: &Peer, said: u64) -> Option<Bytes> {
        let heard = || {
            let heard = peer.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.iter().cloned().collect::<Vec<_>>()
        };
        match self {
            Self::Of(rpcs) => {
                let place = usize::try_from(said).unwrap_or(0) % rpcs.len();
                rpcs.get(place).cloned()
            }
            Self::Iwant => {
                let ids: Vec<_> = heard().iter().map(MessageId::of).collect();
                let iwant: Vec<_> = ids.iter().cycle().take(MAX_IDS).cloned().collect();
                let control = Control {
                    iwant,
                    ..Control::default()
                };
                (!ids.is_empty()).then(|| rpcs::control(control))
            }
            Self::Replay(others) => {
                let all = heard().into_iter().chain(others.iter().cloned());
                Some(join(all.map(|message| message.rpc()).collect()))
            }
            Self::Publish => Some(rpcs::signed(&peer.key, (1 << 60) + said, vec![0; BUSY]).rpc()),
        }
    }
}
