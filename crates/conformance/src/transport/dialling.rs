//! Dialling, listening, turning away, and what happens to those who change their mind.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use sinew_core::{Culpable, Incoming, Purpose, RawConnection, Refusal, TransportError, Unlimited};
use sinew_runtime::timeout;
use tokio::io::AsyncReadExt;

use super::{
    Subject,
    pair::{Connected, accept, finish, incoming, request, talk},
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
    run.check(
        "both ends know both addresses",
        addresses::<RawConnection>(subject),
    )
    .await;
    run.check("every purpose connects", purposes::<RawConnection>(subject))
        .await;
    run.check("an address that nobody listens on", nobody(subject))
        .await;
    run.check("connections that wait to be accepted", backlog(subject))
        .await;
    run.check("a connection that is turned away", refused(subject))
        .await;
    run.check(
        "a drop at every await of a dial",
        dropped_dials::<RawConnection>(subject),
    )
    .await;
    run.check(
        "a drop at every await of an accept",
        dropped_accepts::<RawConnection>(subject),
    )
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
        let dialled = subject.transport.dial(addr, request(None, Purpose::Use)).await;
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

pub(super) async fn addresses<C: Connected>(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    ensure!(
        addr != subject.listen,
        "a listener reports {addr}, which cannot be dialled"
    );
    let accepting = async {
        let arrived = incoming(&mut *listener).await?;
        let ends = (arrived.local().clone(), arrived.remote().clone());
        Ok((ends, finish::<C>(arrived, Arc::new(Unlimited)).await?))
    };
    let use_it = request(None, Purpose::Use);
    let (mut ours, (ends, mut theirs)): (C, _) = subject.meet(&addr, use_it, accepting).await?;
    let ((from, to), (there, back)) = (ours.addrs(), theirs.addrs());
    ensure!(*to == addr, "{addr} was dialled, the connection says {to}");
    ensure!(
        *there == addr,
        "{addr} was dialled, the listener's end says {there}"
    );
    ensure!(back == from, "the dialler is at {from}, not at {back}");
    ensure!(
        (&ends.0, &ends.1) == (there, back),
        "the addresses change while a connection is finished"
    );
    talk(&mut ours, &mut theirs, 132).await
}

pub(super) async fn purposes<C: Connected>(subject: &Subject) -> Check {
    for purpose in [Purpose::Use, Purpose::Direct, Purpose::Probe] {
        let (mut listener, addr) = subject.listener().await?;
        let accepting = accept::<C>(&mut *listener);
        let (mut ours, mut theirs) = subject.meet(&addr, request(None, purpose), accepting).await?;
        talk(&mut ours, &mut theirs, 133).await?;
    }
    Ok(())
}

async fn nobody(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    drop(listener);
    match subject.dial::<RawConnection>(&addr).await {
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
        let dials = (0..DIALS).map(|_| subject.dial::<RawConnection>(&addr));
        futures_util::future::try_join_all(dials).await.during("dialling")
    };
    let accepting = async {
        let mut accepted = Vec::with_capacity(DIALS);
        for _ in 0..DIALS {
            accepted.push(accept::<RawConnection>(&mut *listener).await?);
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
            let (dialled, refused) = tokio::join!(subject.dial::<RawConnection>(&addr), refusing);
            refused?;
            ensure!(dialled.is_err(), "a dial is done though it was turned away");
            continue;
        } else {
            subject.dial::<RawConnection>(&addr).await
        };
        let mut ours = dialled.during("dialling")?;
        refusing.await?;
        let read = ours.io.read(&mut [0; 1]).await;
        ensure!(
            !matches!(read, Ok(1..)),
            "bytes arrive from a side that turned us away"
        );
    }
    let joined = subject.join::<RawConnection>(&addr, &mut *listener).await;
    joined.during("after others were turned away").map(drop)
}

/// Dials that are given up leave nothing that keeps others out: errors, or connections that end.
pub(super) async fn dropped_dials<C: Connected>(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let talking = async {
        for polls in 0..POLLS {
            drop(dropped_after(polls, subject.dial::<C>(&addr)).await);
        }
        let mut ours: C = subject.dial(&addr).await.during("dialling after drops")?;
        ours.ask(130).await.map(|()| ours)
    };
    let serving = async {
        let mut served = FuturesUnordered::new();
        loop {
            tokio::select! {
                arrived = incoming(&mut *listener) => served.push(answered::<C>(arrived?)),
                Some(outcome) = served.next() => if outcome.is_ok() {
                    return outcome;
                },
            }
        }
    };
    let (ours, theirs) = tokio::try_join!(talking, serving)?;
    ensure!(
        ours.addrs().0 == theirs.addrs().1,
        "bytes arrive from a dialler that gave up"
    );
    Ok(())
}

async fn answered<C: Connected>(arrived: Box<dyn Incoming>) -> Result<C, Fault> {
    let mut theirs: C = finish(arrived, Arc::new(Unlimited)).await?;
    theirs.answer(130).await.map(|()| theirs)
}

/// Waiting for a connection and finishing it may be given up; the listener loses at most the one being finished.
pub(super) async fn dropped_accepts<C: Connected>(subject: &Subject) -> Check {
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
            let finishing = finish::<C>(arrived, Arc::new(Unlimited));
            drop(dropped_after(polls, finishing).await);
            Ok::<_, Fault>(remote)
        };
        let (dialled, remote) = if subject.has_handshake::<C>() {
            // It may have come to nothing, as the other end was dropped.
            let (dialled, remote) = tokio::join!(subject.dial::<C>(&addr), accepting);
            (dialled.ok(), remote?)
        } else {
            let dialled = subject.dial::<C>(&addr).await.during("dialling")?;
            (Some(dialled), accepting.await?)
        };
        ensure!(
            dialled.is_none_or(|ours| *ours.addrs().0 == remote),
            "a connection is lost by an accept that was dropped"
        );
    }
    let joined = subject.join::<C>(&addr, &mut *listener).await;
    let (mut ours, mut theirs) = joined.during("after drops")?;
    talk(&mut ours, &mut theirs, 131).await
}

/// Dials in flight succeed or fail when the listener goes; none hangs, and none is left to talk to nobody.
async fn closed_listener(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    let dialling = futures_util::future::join_all((0..DIALS).map(|_| subject.dial::<RawConnection>(&addr)));
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
        subject.dial::<RawConnection>(&addr).await.is_err(),
        "a connection is made where nobody listens any more"
    );
    Ok(())
}
