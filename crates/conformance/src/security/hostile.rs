//! The other side is silent, talks nonsense, leaves at any byte, or somebody in between changes bytes.

use std::time::Duration;

use sinew_core::{Blame, Culpable, Role, Secured};
use sinew_runtime::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Subject,
    pair::{Node, Nodes},
};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io::{self, Tamper, dropped_after},
    pattern::{bytes, receive, send},
};

/// Long enough for whatever moves without being waited for; on a paused clock it takes no time.
const SETTLE: Duration = Duration::from_secs(1);

/// More polls than a handshake takes over a quick pipe.
const POLLS: usize = 20;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("a drop at every await", drop_at_every_await(subject))
        .await;
    run.check("close during the handshake, at every byte", breaks(subject))
        .await;
    run.check("garbage is the peer's fault", garbage(subject)).await;
    if subject.encrypts {
        run.check("a changed byte is found, wherever it is", changed_bytes(subject))
            .await;
        run.check("what is sent cannot be read", unreadable(subject))
            .await;
        run.check("an end that was cut is no end", cut_ends(subject))
            .await;
    }
}

async fn drop_at_every_await(subject: &Subject) -> Check {
    let nodes = Nodes::new(subject);
    for role in [Role::Dialer, Role::Listener] {
        for polls in 0..POLLS {
            let (left, right) = io::pair();
            let (dropped, lives) = match role {
                Role::Dialer => (&nodes.dialer, &nodes.listener),
                Role::Listener => (&nodes.listener, &nodes.dialer),
            };
            let other = if role == Role::Dialer {
                Role::Listener
            } else {
                Role::Dialer
            };
            let dropping = dropped_after(polls, dropped.secure(left, role, None));
            let (gone, survivor) = tokio::join!(dropping, lives.secure(right, other, None));
            drop(gone);
            alone(survivor.ok())
                .await
                .during(&format!("{role:?} dropped at poll {polls}"))?;
        }
    }
    Ok(())
}

/// A side that got through its handshake finds that nobody is there any more.
async fn alone(survivor: Option<Secured>) -> Check {
    if let Some(mut secured) = survivor {
        ensure!(
            receive(&mut secured.io, 110, 1).await.is_err(),
            "bytes arrive from a side that is gone"
        );
    }
    Ok(())
}

/// The connection breaks after each byte of the dialler's, then of the listener's, part of the handshake.
async fn breaks(subject: &Subject) -> Check {
    for dialer in [true, false] {
        for cut in 0..handshake_length(subject, dialer).await? {
            let tamper = Tamper {
                cut: Some(cut),
                ..Tamper::default()
            };
            let (ours, theirs) = tampered(subject, tamper.clone(), dialer).await;
            // The side whose message was cut may not notice before it reads; the other one must.
            ensure!(
                theirs.is_none() || !tamper.was_cut_short(),
                "a handshake succeeds whose last message was cut at byte {cut}"
            );
            drop(theirs);
            alone(ours).await?;
        }
    }
    Ok(())
}

/// Bytes that one side sends until both are done.
async fn handshake_length(subject: &Subject, dialer: bool) -> Result<usize, Fault> {
    let tamper = Tamper::default();
    let (ours, theirs) = tampered(subject, tamper.clone(), dialer).await;
    ensure!(
        ours.is_some() && theirs.is_some(),
        "an undisturbed handshake fails"
    );
    Ok(tamper.written().len())
}

/// Runs a handshake in which one side's bytes are tampered with; that side comes first.
async fn tampered(subject: &Subject, tamper: Tamper, dialer: bool) -> (Option<Secured>, Option<Secured>) {
    let nodes = Nodes::new(subject);
    let (left, right) = tamper.pair();
    if dialer {
        let (ours, theirs) = nodes.outcomes((left, right)).await;
        (ours.ok(), theirs.ok())
    } else {
        let (ours, theirs) = nodes.outcomes((right, left)).await;
        (theirs.ok(), ours.ok())
    }
}

async fn garbage(subject: &Subject) -> Check {
    for seed in 0..32 {
        for role in [Role::Dialer, Role::Listener] {
            let (ours, theirs) = io::pair();
            let (mut read, mut write) = tokio::io::split(theirs);
            let nonsense = async {
                let _ = write.write_all(&bytes(2000 + seed, 0, 70_000)).await;
                let _ = write.shutdown().await;
            };
            let mut heard = Vec::new();
            let listening = async {
                let _ = read.read_to_end(&mut heard).await;
            };
            let securing = Node::new(subject).secure(ours, role, None);
            let (outcome, (), ()) = tokio::join!(securing, nonsense, listening);
            let error = outcome
                .err()
                .ok_or_else(|| Fault::new("garbage is taken for a handshake"))?;
            let blame = error.blame();
            // A frame longer than all that comes ends too early: then nobody can tell.
            ensure!(
                matches!(blame, Blame::Peer | Blame::Network),
                "garbage is the fault of {blame}: {error}"
            );
        }
    }
    Ok(())
}

/// Whoever changes a byte of the handshake or of the first message is found before wrong bytes are delivered.
async fn changed_bytes(subject: &Subject) -> Check {
    for dialer in [true, false] {
        for flip in 0..handshake_length(subject, dialer).await? + 50 {
            let tamper = Tamper {
                flip: Some(flip),
                ..Tamper::default()
            };
            // A longer length makes both sides wait for what never comes: the deadline is their caller's.
            let outcomes = timeout(SETTLE, tampered(subject, tamper, dialer)).await;
            if let Ok((Some(mut ours), Some(mut theirs))) = outcomes {
                let wrote = send(&mut ours.io, 111, 1000).await;
                drop(ours);
                let read = receive(&mut theirs.io, 111, 1000).await;
                ensure!(
                    wrote.is_err() || read.is_err(),
                    "the change of byte {flip} is not noticed"
                );
                only_ended_by_error(&read, flip)?;
            }
        }
    }
    Ok(())
}

fn only_ended_by_error(read: &Check, flip: usize) -> Check {
    let wrong = matches!(read, Err(fault) if fault.0.contains("are not those"));
    ensure!(!wrong, "the change of byte {flip} is delivered");
    Ok(())
}

async fn unreadable(subject: &Subject) -> Check {
    let tamper = Tamper::default();
    let nodes = Nodes::new(subject);
    let (mut ours, mut theirs) = nodes.secured(tamper.clone().pair()).await?;
    tokio::try_join!(send(&mut ours.io, 112, 1000), receive(&mut theirs.io, 112, 1000))?;
    let wire = tamper.written();
    let secret = bytes(112, 0, 1000);
    let seen = secret
        .windows(8)
        .any(|part| wire.windows(8).any(|window| window == part));
    ensure!(!seen, "bytes that were sent are on the wire as they are");
    Ok(())
}

/// A connection that breaks inside a message reads as an error: an attacker must not be able to shorten what was said.
async fn cut_ends(subject: &Subject) -> Check {
    let before = handshake_length(subject, true).await?;
    let tamper = Tamper {
        cut: Some(before + 500),
        ..Tamper::default()
    };
    let (Some(mut ours), Some(mut theirs)) = tampered(subject, tamper, true).await else {
        return Err(Fault::new("an undisturbed handshake fails"));
    };
    let wrote = send(&mut ours.io, 113, 1000).await;
    drop((wrote, ours));
    let read = theirs.io.read_to_end(&mut Vec::new()).await;
    ensure!(read.is_err(), "half a message reads as an ordinary end");
    Ok(())
}
