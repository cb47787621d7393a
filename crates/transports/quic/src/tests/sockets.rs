//! Which socket a dial comes from, and what is left of sockets afterwards.

use std::{sync::Arc, time::Duration};

use sinew_core::{
    Blame, CloseReason, Culpable, DialRequest, Multiaddr, Purpose, Role, Transport, TransportError,
    Unlimited, code,
};
use sinew_runtime::{TaskScope, sleep};

use super::{
    net::Network,
    rig::{LISTEN, Memory, Pair, addr, dial, dial_for, finish, incoming, listening, serve},
};
use crate::{Config, QuicTransport, runtime::LINGER};

fn nodes() -> (Network, [QuicTransport; 2]) {
    let network = Network::new(Duration::from_millis(1));
    let nodes = [(); 2].map(|()| network.node(Config::default()));
    (network, nodes)
}

#[tokio::test(start_paused = true)]
async fn the_purpose_decides_on_the_socket() {
    let (_network, [ours, theirs]) = nodes();
    let (listener, there) = listening(&theirs).await;
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    let from = |purpose| {
        let (ours, there) = (&ours, &there);
        async move { dial_for(ours, there, purpose).await.expect("connects").local }
    };
    // Nobody listens: one socket for all dials, but for probes.
    let common = from(Purpose::Use).await;
    assert_eq!(from(Purpose::Direct).await, common);
    assert_ne!(from(Purpose::Probe).await, common);
    let (own, here) = listening(&ours).await;
    for purpose in [Purpose::Use, Purpose::Direct, Purpose::Punch(Role::Dialer)] {
        assert_eq!(from(purpose).await, here, "{purpose:?}");
    }
    assert_ne!(from(Purpose::Probe).await, here);
    drop(own);
    assert_eq!(from(Purpose::Use).await, common);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_sockets_that_nobody_uses() {
    let (_network, [ours, theirs]) = nodes();
    let (mut listener, there) = listening(&theirs).await;
    let taken = theirs.listen(&there).await.err().expect("taken");
    assert!(matches!(taken, TransportError::Io(error) if error.kind() == std::io::ErrorKind::AddrInUse));
    let accepting = async { finish(incoming(&mut *listener).await, Arc::new(Unlimited)).await };
    let (probe, accepted) = tokio::join!(dial_for(&ours, &there, Purpose::Probe), accepting);
    let (probe, accepted) = (probe.expect("connects"), accepted.expect("accepts"));
    assert_eq!(
        (ours.tasks(), theirs.tasks()),
        (2, 2),
        "a socket and a connection each"
    );
    drop(listener);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((ours.tasks(), theirs.tasks()), (2, 2), "the connection goes on");
    drop((probe, accepted));
    sleep(Duration::from_secs(10)).await;
    assert_eq!((ours.tasks(), theirs.tasks()), (0, 0));
    listening(&theirs).await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_pays_for_its_socket_as_long_as_it_lives() {
    let (_network, [ours, theirs]) = nodes();
    let (listener, there) = listening(&theirs).await;
    let (tasks, scope) = (TaskScope::new("test"), Memory::new(1));
    serve(listener, &tasks);
    let request = || DialRequest::new(None, Purpose::Probe, scope.clone());
    let probe = ours.dial(&there, request()).await.expect("connects");
    assert_eq!(scope.used(), 1);
    let refused = ours.dial(&there, request()).await.expect_err("no more");
    assert!(matches!(refused, TransportError::Limit(_)), "{refused}");
    drop(probe);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(scope.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn few_receive_buffers_become_resident() {
    let (network, [ours, theirs]) = nodes();
    let (listener, there) = listening(&theirs).await;
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    dial(&ours, &there).await.expect("connects");
    let listened = sinew_socket::quic_addr(&there).expect("an address of QUIC");
    assert_eq!(network.lent(listened), 8, "of the 32 that quinn has");
}

#[tokio::test(start_paused = true)]
async fn dials_that_are_given_up_are_forgotten() {
    let (_network, [ours, theirs]) = nodes();
    let (listener, there) = listening(&theirs).await;
    let tasks = TaskScope::new("test");
    serve(listener, &tasks);
    for polls in 1..4 {
        let dialling = dial(&ours, &there);
        drop(sinew_runtime::timeout(Duration::from_micros(900 * polls), dialling).await);
    }
    sleep(Duration::from_secs(15)).await;
    assert_eq!((ours.tasks(), theirs.tasks()), (1, 1), "the sockets");
}

#[tokio::test(start_paused = true)]
async fn addresses_that_are_neither_dialled_nor_listened_on() {
    let (_network, [node, _]) = nodes();
    for text in [
        "/ip4/0.0.0.0/udp/4001/quic-v1",
        "/ip6/::/udp/4001/quic-v1",
        "/ip4/192.0.2.1/udp/0/quic-v1",
    ] {
        let refused = dial(&node, &addr(text)).await;
        assert!(
            matches!(refused, Err(TransportError::Unsupported(_))),
            "{text}: {refused:?}"
        );
    }
    let draft: Multiaddr = addr("/ip4/192.0.2.1/udp/4001/quic");
    assert!(node.handles(&draft), "so that its error tells what is wrong");
    let dialled = dial(&node, &draft).await.expect_err("nobody speaks it");
    let listened = node.listen(&draft).await.err().expect("nobody speaks it");
    for error in [dialled, listened] {
        assert!(error.to_string().contains("use /quic-v1"), "{error}");
        assert_eq!((error.blame(), error.is_retryable()), (Blame::Local, false));
    }
    assert!(!node.handles(&addr("/ip4/192.0.2.1/udp/4001/quic-v1/webtransport")));
    assert!(node.handles(&addr(LISTEN)));
}

/// What quinn keeps of it is in no limit, and for how long is the remote's to say.
#[tokio::test(start_paused = true)]
async fn a_connection_that_has_ended_is_soon_forgotten() {
    let pair = Pair::new(Config::default(), Duration::from_secs(1)).await;
    let Pair {
        ours, theirs, nodes, ..
    } = pair;
    theirs.muxed.handle.close(code::connection::GARBAGE_COLLECTED);
    let ended = theirs.muxed.driver.await;
    assert!(matches!(ended, CloseReason::Local(_)), "{ended}");
    drop((theirs.muxed.handle, theirs.muxed.accept));
    assert_eq!(nodes[1].tasks(), 2, "the socket, and the connection");
    // Three time-outs of round trips that take two seconds are more than that.
    sleep(LINGER + Duration::from_millis(1)).await;
    assert_eq!(nodes[1].tasks(), 0);
    drop(ours);
}
