//! Dialling, listening and turning away, where the transport itself proves who the peers are.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    future::{join_all, try_join_all},
    stream::FuturesUnordered,
};
use sinew_core::{
    Culpable, DialRequest, Incoming, Listener, Multiaddr, MuxedStream, Purpose, Refusal, SecureConnection,
    SecurityError, TransportError, Unlimited,
};
use sinew_identity::PeerId;
use sinew_runtime::timeout;

use super::{
    Subject, dialling,
    pair::{finish_secure, incoming},
};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    io::dropped_after,
    pattern::{echo, receive_to_end, send_and_finish},
};

/// Many at once, and no more than wait for a decision at any listener of ours.
const DIALS: usize = 100;

/// More polls than a dial or an accept takes.
const POLLS: usize = 10;

/// How long a dial that nobody answers is waited for.
const UNANSWERED: Duration = Duration::from_secs(2);

/// Longer than any hand-over inside a machine.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("addresses of other transports", dialling::foreign(subject))
        .await;
    run.check("both ends know each other and both addresses", ends(subject))
        .await;
    run.check("every purpose connects", purposes(subject)).await;
    run.check("the expected peer, and another", expected(subject))
        .await;
    run.check("an address that nobody listens on", nobody(subject))
        .await;
    run.check("many dials at once", many(subject)).await;
    run.check("a connection that is turned away", refused(subject))
        .await;
    run.check("a drop at every await of a dial", dropped_dials(subject))
        .await;
    run.check("a drop at every await of an accept", dropped_accepts(subject))
        .await;
    run.check("a connection outlives its listener", outlives(subject))
        .await;
    run.check("close of a listener during dials", closed_listener(subject))
        .await;
}

fn request(expected: Option<PeerId>, purpose: Purpose) -> DialRequest {
    DialRequest::new(expected, purpose, Arc::new(Unlimited))
}

impl Subject {
    async fn dial_anybody(&self, addr: &Multiaddr) -> Result<SecureConnection, TransportError> {
        self.dial_secure(addr, request(None, Purpose::Use)).await
    }
}

async fn accept(listener: &mut dyn Listener) -> Result<SecureConnection, Fault> {
    finish_secure(incoming(listener).await?, Arc::new(Unlimited)).await
}

/// Both ends of one more connection to a listener.
async fn join(
    subject: &Subject,
    listener: &mut dyn Listener,
    addr: &Multiaddr,
) -> Result<(SecureConnection, SecureConnection), Fault> {
    tokio::try_join!(
        async { subject.dial_anybody(addr).await.during("dialling") },
        accept(listener)
    )
}

/// A stream of the first reaches the second, and carries bytes.
async fn talk(ours: &mut SecureConnection, theirs: &mut SecureConnection) -> Check {
    let asking = async {
        let mut stream: Box<dyn MuxedStream> = ours.muxed.handle.open().await.during("opening")?;
        send_and_finish(&mut stream, 140, 1000).await?;
        receive_to_end(&mut stream, 141, 1000).await
    };
    let answering = async {
        let accepted = poll_fn(|cx| theirs.muxed.accept.poll_accept(cx)).await;
        let mut stream = accepted.during("accepting a stream")?;
        receive_to_end(&mut stream, 140, 1000).await?;
        send_and_finish(&mut stream, 141, 1000).await
    };
    let talking = async { tokio::try_join!(asking, answering) };
    tokio::select! {
        outcome = talking => outcome.map(drop),
        reason = &mut ours.muxed.driver => Err(Fault::from(reason)).during("the dialler's end"),
        reason = &mut theirs.muxed.driver => Err(Fault::from(reason)).during("the listener's end"),
    }
}

async fn ends(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    ensure!(
        addr != subject.listen,
        "a listener reports {addr}, which cannot be dialled"
    );
    let finishing = async {
        let arrived = incoming(&mut *listener).await?;
        let addrs = (arrived.local().clone(), arrived.remote().clone());
        Ok::<_, Fault>((addrs, finish_secure(arrived, Arc::new(Unlimited)).await?))
    };
    let (mut ours, (addrs, mut theirs)) = tokio::try_join!(
        async { subject.dial_anybody(&addr).await.during("dialling") },
        finishing
    )?;
    ensure!(ours.remote == addr, "{addr} was dialled, not {}", ours.remote);
    ensure!(theirs.local == addr, "{addr} was dialled, not {}", theirs.local);
    ensure!(
        theirs.remote == ours.local,
        "the dialler is at {}, not at {}",
        ours.local,
        theirs.remote
    );
    ensure!(
        addrs == (theirs.local.clone(), theirs.remote.clone()),
        "the addresses change while a connection is finished"
    );
    for end in [&ours, &theirs] {
        ensure!(end.key.peer_id() == end.peer, "a peer that is not its key's");
    }
    talk(&mut ours, &mut theirs).await?;
    talk(&mut theirs, &mut ours).await.during("the other way")
}

async fn purposes(subject: &Subject) -> Check {
    for purpose in [Purpose::Use, Purpose::Direct, Purpose::Probe] {
        let (mut listener, addr) = subject.listener().await?;
        let dialling = async {
            subject
                .dial_secure(&addr, request(None, purpose))
                .await
                .during("dialling")
        };
        let (mut ours, mut theirs) = tokio::try_join!(dialling, accept(&mut *listener))?;
        talk(&mut ours, &mut theirs).await?;
    }
    Ok(())
}

async fn expected(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let (ours, theirs) = join(subject, &mut *listener, &addr).await?;
    let there = ours.peer;
    drop((ours, theirs));
    let (right, _theirs) = tokio::join!(
        subject.dial_secure(&addr, request(Some(there), Purpose::Use)),
        accept(&mut *listener)
    );
    right.during("dialling the peer that is there")?;
    let other = PeerId::random();
    let (wrong, accepted) = tokio::join!(
        subject.dial_secure(&addr, request(Some(other), Purpose::Use)),
        accept(&mut *listener)
    );
    match wrong {
        Err(TransportError::Security(SecurityError::WrongPeer { expected, actual })) => ensure!(
            (expected, actual) == (other, there),
            "{expected} was expected and {actual} answered, instead of {other} and {there}"
        ),
        other => return Err(Fault::new(format!("another peer answers: {other:?}"))),
    }
    // The listener is done before the dialler has said no, or learns of it at once; it does not keep the connection.
    if let Ok(accepted) = accepted {
        let ended = timeout(PATIENCE, accepted.muxed.driver).await;
        ensure!(
            ended.is_ok(),
            "the listener keeps a connection whose dialler wanted somebody else"
        );
    }
    Ok(())
}

/// Such a dial fails or goes on for ever: nobody says that nobody is there.
async fn nobody(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    drop(listener);
    match timeout(UNANSWERED, subject.dial_anybody(&addr)).await {
        Ok(Ok(_)) => Err(Fault::new("a connection is made where nobody listens")),
        Ok(Err(error)) => {
            ensure!(error.is_retryable(), "that nobody listens may change: {error}");
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

/// Each of them is served, and gets its own answer.
async fn many(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let dials = (0..DIALS as u64).map(|seed| {
        let addr = &addr;
        async move {
            let ours = subject.dial_anybody(addr).await.during("dialling")?;
            let mut stream: Box<dyn MuxedStream> = ours.muxed.handle.open().await.during("opening")?;
            send_and_finish(&mut stream, seed, 1000).await?;
            receive_to_end(&mut stream, seed, 1000).await.map(|()| ours)
        }
    });
    let accepting = async {
        let mut serving = Vec::new();
        for _ in 0..DIALS {
            serving.push(serve(incoming(&mut *listener).await?));
        }
        try_join_all(serving).await
    };
    tokio::try_join!(try_join_all(dials), accepting)?;
    Ok(())
}

async fn refused(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let reject = async {
        incoming(&mut *listener).await?.refuse(Refusal::Reject);
        Ok::<_, Fault>(())
    };
    let (dialled, rejected) = tokio::join!(timeout(PATIENCE, subject.dial_anybody(&addr)), reject);
    rejected?;
    ensure!(
        matches!(dialled, Ok(Err(_))),
        "a dial that was rejected: {dialled:?}"
    );
    let ignore = async {
        incoming(&mut *listener).await?.refuse(Refusal::Ignore);
        Ok::<_, Fault>(())
    };
    let mut dialling = pin!(subject.dial_anybody(&addr));
    tokio::select! {
        dialled = &mut dialling => return Err(Fault::new(format!("a dial that nobody answered: {dialled:?}"))),
        ignored = ignore => ignored?,
    }
    let (mut ours, mut theirs) = join(subject, &mut *listener, &addr)
        .await
        .during("after others were turned away")?;
    talk(&mut ours, &mut theirs).await
}

/// Dials that are given up leave nothing that keeps others out.
async fn dropped_dials(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    // Of a dial that was given up comes an error, or a connection that ends.
    let serving = async {
        let mut served = FuturesUnordered::new();
        loop {
            tokio::select! {
                arrived = incoming(&mut *listener) => served.push(serve(arrived?)),
                Some(outcome) = served.next() => if outcome.is_ok() {
                    return outcome;
                },
            }
        }
    };
    let talking = async {
        for polls in 0..POLLS {
            drop(dropped_after(polls, subject.dial_anybody(&addr)).await);
        }
        let ours = subject.dial_anybody(&addr).await.during("dialling after drops")?;
        let mut stream: Box<dyn MuxedStream> = ours.muxed.handle.open().await.during("opening")?;
        send_and_finish(&mut stream, 142, 100).await?;
        receive_to_end(&mut stream, 142, 100).await.map(|()| ours)
    };
    tokio::try_join!(talking, serving)?;
    Ok(())
}

/// Finishes a connection and sends back what comes on its first stream.
async fn serve(arrived: Box<dyn Incoming>) -> Result<SecureConnection, Fault> {
    let mut theirs = finish_secure(arrived, Arc::new(Unlimited)).await?;
    let accepted = poll_fn(|cx| theirs.muxed.accept.poll_accept(cx)).await;
    let mut stream = accepted.during("accepting a stream")?;
    echo(&mut stream).await.map(|()| theirs)
}

/// Waiting for a connection and finishing it may be given up; the listener loses at most the one being finished.
async fn dropped_accepts(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    for polls in 0..POLLS {
        let accepting = async {
            let arrived = match dropped_after(polls, incoming(&mut *listener)).await {
                Some(arrived) => arrived?,
                None => incoming(&mut *listener)
                    .await
                    .during("accepting what a dropped accept left")?,
            };
            let finishing = finish_secure(arrived, Arc::new(Unlimited));
            Ok::<_, Fault>(dropped_after(polls, finishing).await)
        };
        let (dialled, accepted) = tokio::join!(subject.dial_anybody(&addr), accepting);
        drop((dialled, accepted?));
    }
    let (mut ours, mut theirs) = join(subject, &mut *listener, &addr).await.during("after drops")?;
    talk(&mut ours, &mut theirs).await
}

async fn outlives(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let (mut ours, mut theirs) = join(subject, &mut *listener, &addr).await?;
    drop(listener);
    talk(&mut ours, &mut theirs).await?;
    let dialled = timeout(Duration::from_secs(1), subject.dial_anybody(&addr)).await;
    ensure!(
        !matches!(dialled, Ok(Ok(_))),
        "a connection is made where nobody listens any more"
    );
    talk(&mut theirs, &mut ours).await.during("the other way")
}

/// Dials in flight fail or are never answered when the listener goes; none is left to talk to nobody.
async fn closed_listener(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    let dialling = join_all((0..DIALS).map(|_| timeout(Duration::from_secs(1), subject.dial_anybody(&addr))));
    let closing = async {
        tokio::task::yield_now().await;
        drop(listener);
    };
    let (dialled, ()) = tokio::join!(dialling, closing);
    ensure!(
        dialled.iter().all(|dialled| !matches!(dialled, Ok(Ok(_)))),
        "a connection that was never accepted is made"
    );
    Ok(())
}
