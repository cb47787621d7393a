//! Dialling, listening and turning away, where the transport itself proves who the peers are.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{join_all, try_join_all};
use sinew_core::{
    Culpable, Incoming, Purpose, Refusal, SecureConnection, SecurityError, TransportError, Unlimited,
};
use sinew_identity::PeerId;
use sinew_runtime::timeout;

use super::{
    Subject, dialling,
    pair::{Connected, accept, finish, incoming, request, talk},
};
use crate::{
    fault::{Check, During, Fault, Run, ensure},
    pattern::echo,
};

/// What is dialled and accepted here.
type Secure = SecureConnection;

/// Many at once, and no more than wait for a decision at any listener of ours.
const DIALS: usize = 100;

/// How long a dial that nobody answers is waited for.
const UNANSWERED: Duration = Duration::from_secs(2);

/// Longer than any hand-over inside a machine.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("addresses of other transports", dialling::foreign(subject))
        .await;
    run.check(
        "both ends know both addresses",
        dialling::addresses::<Secure>(subject),
    )
    .await;
    run.check("every purpose connects", dialling::purposes::<Secure>(subject))
        .await;
    run.check("the expected peer, and another", expected(subject))
        .await;
    run.check("an address that nobody listens on", nobody(subject))
        .await;
    run.check("many dials at once", many(subject)).await;
    run.check("a connection that is turned away", refused(subject))
        .await;
    run.check(
        "a drop at every await of a dial",
        dialling::dropped_dials::<Secure>(subject),
    )
    .await;
    run.check(
        "a drop at every await of an accept",
        dialling::dropped_accepts::<Secure>(subject),
    )
    .await;
    run.check("a connection outlives its listener", outlives(subject))
        .await;
    run.check("close of a listener during dials", closed_listener(subject))
        .await;
}

async fn expected(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let (ours, theirs): (Secure, Secure) = subject.join(&addr, &mut *listener).await?;
    for end in [&ours, &theirs] {
        ensure!(end.key.peer_id() == end.peer, "a peer that is not its key's");
    }
    let there = ours.peer;
    drop((ours, theirs));
    let right = request(Some(there), Purpose::Use);
    let right = subject.meet::<Secure, Secure>(&addr, right, accept(&mut *listener));
    right.await.during("dialling the peer that is there")?;
    let other = PeerId::random();
    let (wrong, accepted) = tokio::join!(
        subject.dial_with::<Secure>(&addr, request(Some(other), Purpose::Use)),
        accept::<Secure>(&mut *listener)
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
    match timeout(UNANSWERED, subject.dial::<Secure>(&addr)).await {
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
            let mut ours: Secure = subject.dial(addr).await.during("dialling")?;
            ours.ask(seed).await.map(|()| ours)
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
    let (dialled, rejected) = tokio::join!(timeout(PATIENCE, subject.dial::<Secure>(&addr)), reject);
    rejected?;
    ensure!(
        matches!(dialled, Ok(Err(_))),
        "a dial that was rejected: {dialled:?}"
    );
    let ignore = async {
        incoming(&mut *listener).await?.refuse(Refusal::Ignore);
        Ok::<_, Fault>(())
    };
    let mut dialling = pin!(subject.dial::<Secure>(&addr));
    tokio::select! {
        dialled = &mut dialling => return Err(Fault::new(format!("a dial that nobody answered: {dialled:?}"))),
        ignored = ignore => ignored?,
    }
    let joined = subject.join::<Secure>(&addr, &mut *listener).await;
    let (mut ours, mut theirs) = joined.during("after others were turned away")?;
    talk(&mut ours, &mut theirs, 140).await
}

/// Finishes a connection and sends back what comes on its first stream.
async fn serve(arrived: Box<dyn Incoming>) -> Result<Secure, Fault> {
    let mut theirs: Secure = finish(arrived, Arc::new(Unlimited)).await?;
    let accepted = poll_fn(|cx| theirs.muxed.accept.poll_accept(cx)).await;
    let mut stream = accepted.during("accepting a stream")?;
    echo(&mut stream).await.map(|()| theirs)
}

async fn outlives(subject: &Subject) -> Check {
    let (mut listener, addr) = subject.listener().await?;
    let (mut ours, mut theirs): (Secure, Secure) = subject.join(&addr, &mut *listener).await?;
    drop(listener);
    talk(&mut ours, &mut theirs, 141).await?;
    let dialled = timeout(Duration::from_secs(1), subject.dial::<Secure>(&addr)).await;
    ensure!(
        !matches!(dialled, Ok(Ok(_))),
        "a connection is made where nobody listens any more"
    );
    talk(&mut theirs, &mut ours, 142).await.during("the other way")
}

/// Dials in flight fail or are never answered when the listener goes; none is left to talk to nobody.
async fn closed_listener(subject: &Subject) -> Check {
    let (listener, addr) = subject.listener().await?;
    let dialling =
        join_all((0..DIALS).map(|_| timeout(Duration::from_secs(1), subject.dial::<Secure>(&addr))));
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
