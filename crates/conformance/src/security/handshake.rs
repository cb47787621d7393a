//! Both sides learn who the other is, and which muxer follows; the wrong peer is refused.

use sinew_core::{BoxedIo, Role, Secured, SecurityError};
use sinew_identity::PeerId;

use super::{
    Subject,
    pair::{Node, Nodes},
};
use crate::{
    fault::{Check, Fault, Run, ensure},
    io,
    pattern::{receive, send},
};

pub(super) async fn check_all(run: &mut Run, subject: &Subject) {
    run.check("both sides learn who the other is", identities(subject))
        .await;
    run.check("a handshake that moves three bytes at a time", trickle(subject))
        .await;
    run.check("a muxer that is agreed on early", early_muxer(subject))
        .await;
    run.check("no muxer in common", no_common_muxer(subject)).await;
    run.check("the dialler refuses the wrong peer", wrong_listener(subject))
        .await;
    run.check("the listener refuses the wrong peer", wrong_dialler(subject))
        .await;
    run.check("100 handshakes at once", many(subject)).await;
}

async fn identities(subject: &Subject) -> Check {
    let nodes = Nodes::new(subject);
    let name = nodes.dialer.protocol();
    ensure!(name.as_str().starts_with('/'), "{name} cannot be negotiated");
    let (ours, theirs) = nodes.secured(io::pair()).await?;
    know_each_other(&nodes, &ours, &theirs)?;
    exchange(ours.io, theirs.io).await
}

fn know_each_other(nodes: &Nodes, ours: &Secured, theirs: &Secured) -> Check {
    for (secured, node) in [(ours, &nodes.listener), (theirs, &nodes.dialer)] {
        ensure!(
            secured.peer == node.peer,
            "{} is taken for {}",
            node.peer,
            secured.peer
        );
        ensure!(
            secured.key.peer_id() == node.peer,
            "the key is not that of the peer"
        );
    }
    ensure!(
        ours.muxer == theirs.muxer,
        "the sides agreed on {:?} and {:?}",
        ours.muxer,
        theirs.muxer
    );
    Ok(())
}

async fn exchange(mut ours: BoxedIo, mut theirs: BoxedIo) -> Check {
    tokio::try_join!(send(&mut ours, 80, 1000), receive(&mut theirs, 80, 1000))?;
    tokio::try_join!(send(&mut theirs, 81, 1000), receive(&mut ours, 81, 1000))?;
    Ok(())
}

async fn trickle(subject: &Subject) -> Check {
    let nodes = Nodes::new(subject);
    let (ours, theirs) = nodes.secured(io::trickling_pair()).await?;
    know_each_other(&nodes, &ours, &theirs)?;
    exchange(ours.io, theirs.io).await
}

/// An upgrade need not agree on a muxer. If it does, both sides know the same one, and both speak it.
async fn early_muxer(subject: &Subject) -> Check {
    let nodes = Nodes {
        dialer: Node::new(subject).with_muxers(&["/a/1", "/b/1", "/c/1"]),
        listener: Node::new(subject).with_muxers(&["/c/1", "/b/1", "/d/1"]),
    };
    let (ours, theirs) = nodes.secured(io::pair()).await?;
    know_each_other(&nodes, &ours, &theirs)?;
    if let Some(muxer) = &ours.muxer {
        let common = nodes.dialer.muxers.contains(muxer) && nodes.listener.muxers.contains(muxer);
        ensure!(common, "{muxer} is agreed on, which not both speak");
    }
    exchange(ours.io, theirs.io).await
}

async fn no_common_muxer(subject: &Subject) -> Check {
    let nodes = Nodes {
        dialer: Node::new(subject).with_muxers(&["/a/1"]),
        listener: Node::new(subject).with_muxers(&["/b/1"]),
    };
    match nodes.outcomes(io::pair()).await {
        (Ok(ours), Ok(theirs)) => {
            let (ours_is, theirs_is) = (&ours.muxer, &theirs.muxer);
            ensure!(
                ours_is.is_none() && theirs_is.is_none(),
                "agreed on {ours_is:?}, {theirs_is:?}"
            );
            exchange(ours.io, theirs.io).await
        }
        // An upgrade that always agrees on a muxer has to refuse: one side at least, and the other is cut off.
        (ours, theirs) => {
            ensure!(ours.is_err() || theirs.is_err(), "no side refused");
            cut_off(ours).await?;
            cut_off(theirs).await
        }
    }
}

async fn wrong_listener(subject: &Subject) -> Check {
    let nodes = Nodes::new(subject);
    let (left, right) = io::pair();
    let wanted = PeerId::random();
    let ours = nodes.dialer.secure(left, Role::Dialer, Some(wanted));
    let theirs = nodes.listener.secure(right, Role::Listener, None);
    let (ours, theirs) = tokio::join!(ours, theirs);
    refused(ours, wanted, nodes.listener.peer)?;
    // The listener may have been done before it was refused; its bytes then end.
    cut_off(theirs).await
}

async fn wrong_dialler(subject: &Subject) -> Check {
    let nodes = Nodes::new(subject);
    let (left, right) = io::pair();
    let wanted = PeerId::random();
    let ours = nodes.dialer.secure(left, Role::Dialer, None);
    let theirs = nodes.listener.secure(right, Role::Listener, Some(wanted));
    let (ours, theirs) = tokio::join!(ours, theirs);
    refused(theirs, wanted, nodes.dialer.peer)?;
    cut_off(ours).await
}

fn refused(outcome: Result<Secured, SecurityError>, wanted: PeerId, answered: PeerId) -> Check {
    match outcome {
        Err(SecurityError::WrongPeer { expected, actual }) => {
            ensure!(
                (expected, actual) == (wanted, answered),
                "the error names {expected} and {actual}"
            );
            Ok(())
        }
        Err(other) => Err(Fault::from(other)),
        Ok(secured) => Err(Fault::new(format!(
            "{} is taken where {wanted} was wanted",
            secured.peer
        ))),
    }
}

/// A side whose remote gave up fails, or finds that nobody is there.
async fn cut_off(outcome: Result<Secured, SecurityError>) -> Check {
    if let Ok(mut secured) = outcome {
        let received = receive(&mut secured.io, 82, 1).await;
        ensure!(received.is_err(), "bytes arrive from a remote that refused us");
    }
    Ok(())
}

/// One upgrade serves many connections at once.
async fn many(subject: &Subject) -> Check {
    let nodes = Nodes::new(subject);
    let handshakes = (0..100).map(|_| async {
        let (ours, theirs) = nodes.secured(io::pair()).await?;
        know_each_other(&nodes, &ours, &theirs)
    });
    futures_util::future::try_join_all(handshakes).await?;
    Ok(())
}
