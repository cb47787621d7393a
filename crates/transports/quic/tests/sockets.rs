//! Over sockets of the system, on loopback.

use std::{collections::BTreeSet, future::poll_fn, sync::Arc};

use sinew_conformance::transport::{Subject, check_secure};
use sinew_core::{
    DialRequest, Link, Listener, ListenerEvent, Multiaddr, Purpose, Role, SecureConnection, Transport,
    Unlimited,
};
use sinew_identity::Keypair;
use sinew_quic::{Certificate, Config, QuicTransport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn node() -> QuicTransport {
    let certificate = Certificate::new(&Keypair::generate()).expect("a key that signs");
    QuicTransport::new(certificate, Config::default())
}

fn addr(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

fn subject(listen: &str) -> Subject {
    let foreign = [
        "/ip4/127.0.0.1/tcp/1",
        "/dns4/localhost/udp/1/quic-v1",
        "/memory/1",
    ];
    Subject::new(node(), addr(listen), foreign.map(addr).into())
}

#[tokio::test]
async fn dialling_and_listening_over_ipv4() {
    check_secure(&subject("/ip4/127.0.0.1/udp/0/quic-v1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialling_and_listening_over_a_wildcard() {
    check_secure(&subject("/ip4/0.0.0.0/udp/0/quic-v1")).await;
}

#[tokio::test]
async fn dialling_and_listening_over_ipv6() {
    let listen = "/ip6/::1/udp/0/quic-v1";
    if node().listen(&addr(listen)).await.is_err() {
        return; // A machine without IPv6.
    }
    check_secure(&subject(listen)).await;
}

async fn connect(
    ours: &QuicTransport,
    listener: &mut dyn Listener,
    there: &Multiaddr,
) -> (SecureConnection, SecureConnection) {
    let accepting = async {
        let ListenerEvent::Incoming(incoming) = listener.next().await else {
            panic!("nobody comes");
        };
        incoming.finish(Arc::new(Unlimited)).await.expect("accepts")
    };
    let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
    let dialling = async { ours.dial(there, request).await.expect("connects") };
    match tokio::join!(dialling, accepting) {
        (Link::Secure(ours), Link::Secure(theirs)) => (ours, theirs),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wildcard_is_reported_as_the_addresses_of_the_interfaces() {
    let (ours, theirs) = (node(), node());
    let mut listener = theirs
        .listen(&addr("/ip4/0.0.0.0/udp/0/quic-v1"))
        .await
        .expect("listens");
    let addresses = listener.addresses();
    let texts: BTreeSet<String> = addresses.iter().map(ToString::to_string).collect();
    assert!(
        texts.iter().any(|text| text.starts_with("/ip4/127.0.0.1/udp/")),
        "{texts:?}"
    );
    let told = |text: &String| !text.contains("/0.0.0.0/") && text.ends_with("/quic-v1");
    assert!(texts.iter().all(told), "{texts:?}");
    for there in &addresses {
        let (ours, theirs) = connect(&ours, &mut *listener, there).await;
        assert_eq!((&ours.remote, &theirs.local), (there, there));
        assert_eq!(
            ours.local, theirs.remote,
            "a wildcard knows where a dial of it comes from"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_in_both_directions() {
    const LENGTH: u64 = 16 * 1024 * 1024;
    let (ours, theirs) = (node(), node());
    let mut listener = theirs
        .listen(&addr("/ip4/127.0.0.1/udp/0/quic-v1"))
        .await
        .expect("listens");
    let there = listener.addresses().remove(0);
    let (ours, mut theirs) = connect(&ours, &mut *listener, &there).await;
    let mut asking = ours.muxed.handle.open().await.expect("opens");
    asking.write_all(b"x").await.expect("written");
    let mut answering = poll_fn(|cx| theirs.muxed.accept.poll_accept(cx))
        .await
        .expect("accepted");
    assert_eq!(answering.read_u8().await.expect("read"), b'x');
    let both = [asking, answering].map(|stream| async {
        let (mut read, mut write) = tokio::io::split(stream);
        let sending = async {
            let mut zeros = tokio::io::repeat(7).take(LENGTH);
            tokio::io::copy(&mut zeros, &mut write).await.expect("written");
            write.shutdown().await.expect("finished");
        };
        let mut sink = tokio::io::sink();
        let receiving = async { tokio::io::copy(&mut read, &mut sink).await.expect("read") };
        let ((), received) = tokio::join!(sending, receiving);
        assert_eq!(received, LENGTH);
    });
    futures_util::future::join_all(both).await;
    assert!(ours.muxed.handle.rtt().is_some_and(|rtt| !rtt.is_zero()));
}

#[tokio::test]
async fn a_punch_from_the_listening_side_meets_the_dial() {
    let (ours, theirs) = (node(), node());
    let listen = addr("/ip4/127.0.0.1/udp/0/quic-v1");
    let mut here = ours.listen(&listen).await.expect("listens");
    let there = theirs.listen(&listen).await.expect("listens");
    let (here_addr, there_addr) = (here.addresses().remove(0), there.addresses().remove(0));
    let punch = |role| DialRequest::new(None, Purpose::Punch(role), Arc::new(Unlimited));
    let punching = async {
        tokio::select! {
            link = ours.dial(&there_addr, punch(Role::Listener)) => link.expect("punches"),
            _ = here.next() => panic!("the connection is the punch's"),
        }
    };
    let dialling = async {
        let link = theirs.dial(&here_addr, punch(Role::Dialer)).await;
        link.expect("dials")
    };
    let (Link::Secure(accepted), Link::Secure(dialled)) = tokio::join!(punching, dialling) else {
        panic!("QUIC is secure");
    };
    assert_eq!((&accepted.remote, &accepted.local), (&there_addr, &here_addr));
    assert_eq!((&dialled.remote, &dialled.local), (&here_addr, &there_addr));
}
