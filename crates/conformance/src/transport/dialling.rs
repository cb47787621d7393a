//! Dialling, listening, turning away, and what happens to those who change their mind.

use std::{sync::Arc, time::Duration};

use sinew_core::{Culpable, DialRequest, Purpose, Refusal, TransportError, Unlimited};
use sinew_runtime::timeout;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Subject,
    pair::{accept, finish, incoming},
};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io::dropped_after,
    pattern::{echo, receive_to_end, send_and_finish},
};

/// More connections than wait in any backlog of ours would be thousands of sockets; these are many at once.
const DIALS: usize = 200;

/// More polls than a dial or an accept takes.
const POLLS: usize = 10;

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("addresses of other transports", foreign(subject)).await;
    run.check("both ends know both addresses", addresses(subject))
        .await;
    run.check("every purpose connects", purposes(subject)).await;
    run.check("an address that nobody listens on", nobody(subject))
        .await;
    run.check("connections that wait to be accepted", backlog(subject))
        .await;
    run.check("a connection that is turned away", refused(subject))
        .await;
    run.check("a drop at every await of a dial", dropped_dials(subject))
        .await;
    run.check("a drop at every await of an accept", dropped_accepts(subject))
        .await;
    run.check("close of a listener during dials", closed_listener(subject))
        .await;
}

pub(super) async fn foreign(subject: &Subject) -> Check {
    ensure!(
        subject.transport.handles(&subject.listen),
        "{} is not handled",
        subject.listen
    );
    for addr in &subject.foreign {
        ensure!(!subject.transport.handles(addr), "{addr} is handled");
        let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
        let dialled = subject.transport.dial(addr, request).await;
        ensure!(
            matches!(dialled, Err(TransportError::Unsupported(_))),
            "dialling {addr}: {dialled:?}"
        );
        let listened = subject.transport.listen(addr).await;
        ensure!(
            matches!(listened, Err(TransportError::Unsupported(_))),
            "{addr} is listened on"
        );
    }
    Ok(())
}

async fn addresses(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    ensure!(
        addr != subject.listen,
        "a listener reports {addr}, which cannot be dialled"
    );
    let accepting = async {
        let arrived = incoming(&mut *listener).await?;
        let ends = (arrived.local().clone(), arrived.remote().clone());
        Ok((ends, finish(arrived).await?))
    };
    let (ours, (ends, theirs)) = subject.meet(&addr, Purpose::Use, accepting).await?;
    ensure!(
        ours.remote == addr,
        "{addr} was dialled, the connection says {}",
        ours.remote
    );
    ensure!(
        theirs.local == addr,
        "{addr} was dialled, the listener's end says {}",
        theirs.local
    );
    ensure!(
        theirs.remote == ours.local,
        "the dialler is at {}, not at {}",
        ours.local,
        theirs.remote
    );
    ensure!(
        ends == (theirs.local, theirs.remote),
        "the addresses change while a connection is finished"
    );
    Ok(())
}

async fn purposes(subject: &Subject) -> Check {
    for purpose in [Purpose::Use, Purpose::Direct, Purpose::Probe] {
        let (mut listener, addr) = subject.listener().await?;
        subject.meet(&addr, purpose, accept(&mut *listener)).await?;
    }
    Ok(())
}

async fn nobody(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    drop(listener);
    match subject.dial(&addr).await {
        Ok(_) => Err(Fault::new("a connection is made where nobody listens")),
        Err(error) => {
            ensure!(error.is_retryable(), "that nobody listens may change: {error}");
            Ok(())
        }
    }
}

/// Diallers do not wait for the listener to accept, or only for its part of a handshake; all of them are served in the
/// end.
async fn backlog(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let dialling = async {
        let dials = (0..DIALS).map(|_| subject.dial(&addr));
        futures_util::future::try_join_all(dials).await.during("dialling")
    };
    let accepting = async {
        let mut accepted = Vec::with_capacity(DIALS);
        for _ in 0..DIALS {
            accepted.push(accept(&mut *listener).await?);
        }
        Ok::<_, Fault>(accepted)
    };
    let (dialled, accepted) = if subject.handshake {
        tokio::try_join!(dialling, accepting)?
    } else {
        (dialling.await?, accepting.await?)
    };
    let talking = dialled
        .into_iter()
        .enumerate()
        .map(|(seed, mut ours)| async move {
            send_and_finish(&mut ours.io, seed as u64, 100).await?;
            receive_to_end(&mut ours.io, seed as u64, 100).await
        });
    let serving = accepted
        .into_iter()
        .map(|mut theirs| async move { echo(&mut theirs.io).await });
    tokio::try_join!(
        futures_util::future::try_join_all(talking),
        futures_util::future::try_join_all(serving)
    )?;
    Ok(())
}

async fn refused(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    for how in [Refusal::Reject, Refusal::Ignore] {
        let refusing = async {
            incoming(&mut *listener).await?.refuse(how);
            Ok::<_, Fault>(())
        };
        let dialled = if subject.handshake {
            let (dialled, refused) = tokio::join!(subject.dial(&addr), refusing);
            refused?;
            ensure!(dialled.is_err(), "a dial is done though it was turned away");
            continue;
        } else {
            subject.dial(&addr).await
        };
        let mut ours = dialled.during("dialling")?;
        refusing.await?;
        let read = ours.io.read(&mut [0; 1]).await;
        ensure!(
            !matches!(read, Ok(1..)),
            "bytes arrive from a side that turned us away"
        );
    }
    subject
        .meet(&addr, Purpose::Use, accept(&mut *listener))
        .await
        .during("after others were turned away")?;
    Ok(())
}

/// Dials that are given up leave connections that end at once, or none.
async fn dropped_dials(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let talking = async {
        for polls in 0..POLLS {
            drop(dropped_after(polls, subject.dial(&addr)).await);
        }
        let mut ours = subject.dial(&addr).await.during("dialling after drops")?;
        send_and_finish(&mut ours.io, 130, 100).await?;
        receive_to_end(&mut ours.io, 130, 100).await?;
        Ok::<_, Fault>(ours.local)
    };
    let serving = async {
        loop {
            let mut theirs = match finish(incoming(&mut *listener).await?).await {
                // Of a handshake that was given up nothing remains.
                Err(_) if subject.handshake => continue,
                finished => finished?,
            };
            let mut first = [0; 1];
            if let Ok(1..) = theirs.io.read(&mut first).await {
                theirs.io.write_all(&first).await?;
                echo(&mut theirs.io).await?;
                return Ok::<_, Fault>(theirs.remote);
            }
        }
    };
    let (local, remote) = tokio::try_join!(talking, serving)?;
    ensure!(local == remote, "bytes arrive from a dialler that gave up");
    Ok(())
}

/// Waiting for a connection and finishing it may be given up; the listener loses at most the one being finished.
async fn dropped_accepts(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    for polls in 0..POLLS {
        let accepting = async {
            let taken = dropped_after(polls, incoming(&mut *listener)).await;
            let arrived = match taken {
                Some(arrived) => arrived?,
                None => incoming(&mut *listener)
                    .await
                    .during("accepting what a dropped accept left")?,
            };
            let remote = arrived.remote().clone();
            drop(dropped_after(polls, finish(arrived)).await);
            Ok::<_, Fault>(remote)
        };
        let (dialled, remote) = if subject.handshake {
            // It may have come to nothing, as the other end was dropped.
            let (dialled, remote) = tokio::join!(subject.dial(&addr), accepting);
            (dialled.ok(), remote?)
        } else {
            let dialled = subject.dial(&addr).await.during("dialling")?;
            (Some(dialled), accepting.await?)
        };
        ensure!(
            dialled.is_none_or(|ours| ours.local == remote),
            "a connection is lost by an accept that was dropped"
        );
    }
    subject
        .meet(&addr, Purpose::Use, accept(&mut *listener))
        .await
        .during("after drops")?;
    Ok(())
}

/// Dials in flight succeed or fail when the listener goes; none hangs, and none is left to talk to nobody.
async fn closed_listener(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    let dialling = futures_util::future::join_all((0..DIALS).map(|_| subject.dial(&addr)));
    let closing = async {
        tokio::task::yield_now().await;
        drop(listener);
    };
    let (dialled, ()) = tokio::join!(dialling, closing);
    for mut ours in dialled.into_iter().flatten() {
        let read = timeout(Duration::from_secs(10), ours.io.read(&mut [0; 1])).await;
        ensure!(
            !matches!(read, Ok(Ok(1..))),
            "bytes arrive from a listener that is gone"
        );
        ensure!(
            read.is_ok(),
            "a connection that was never accepted does not end with its listener"
        );
    }
    ensure!(
        subject.dial(&addr).await.is_err(),
        "a connection is made where nobody listens any more"
    );
    Ok(())
}
