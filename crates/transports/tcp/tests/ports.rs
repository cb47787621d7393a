//! Which port a dial comes from, and which addresses a listener reports.

use std::{collections::BTreeSet, io, sync::Arc};

use sinew_core::{
    DialRequest, Link, Listener, ListenerEvent, Multiaddr, Purpose, RawConnection, Role, Transport,
    TransportError, Unlimited,
};
use sinew_tcp::TcpTransport;

fn addr(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

async fn listen(transport: &TcpTransport, text: &str) -> Box<dyn Listener> {
    transport.listen(&addr(text)).await.expect("listening")
}

async fn dial(
    transport: &TcpTransport,
    to: &Multiaddr,
    purpose: Purpose,
) -> Result<RawConnection, TransportError> {
    let request = DialRequest::new(None, purpose, Arc::new(Unlimited));
    match transport.dial(to, request).await? {
        Link::Raw(raw) => Ok(raw),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_purpose_decides_on_the_port() {
    let ours = TcpTransport::new();
    let own = listen(&ours, "/ip4/127.0.0.1/tcp/0").await.addresses().remove(0);
    // A dropped listener's port is not shared.
    let other = listen(&TcpTransport::new(), "/ip4/127.0.0.1/tcp/0").await;
    let there = &other.addresses()[0];
    assert_ne!(dial(&ours, there, Purpose::Use).await.unwrap().local, own);

    let listener = listen(&ours, "/ip4/127.0.0.1/tcp/0").await;
    let own = listener.addresses().remove(0);
    let shared = dial(&ours, there, Purpose::Use).await.unwrap();
    assert_eq!(shared.local, own);
    assert_eq!(&shared.remote, there);
    // A second one cannot have the same two ends.
    assert_ne!(dial(&ours, there, Purpose::Direct).await.unwrap().local, own);
    assert_ne!(dial(&ours, there, Purpose::Probe).await.unwrap().local, own);
    let punch = dial(&ours, there, Purpose::Punch(Role::Dialer)).await;
    assert!(matches!(punch, Err(TransportError::Io(_))), "{punch:?}");
}

#[tokio::test]
async fn both_ends_see_the_same_addresses() {
    let transport = TcpTransport::new();
    let mut listener = listen(&transport, "/ip4/127.0.0.1/tcp/0").await;
    let there = listener.addresses().remove(0);
    let dialled = dial(&transport, &there, Purpose::Use).await.unwrap();
    let ListenerEvent::Incoming(incoming) = listener.next().await else {
        panic!("no connection arrived");
    };
    assert_eq!(incoming.local(), &there);
    assert_eq!(incoming.remote(), &dialled.local);
}

#[tokio::test]
async fn a_wildcard_is_reported_as_the_addresses_of_the_interfaces() {
    let transport = TcpTransport::new();
    let mut listener = listen(&transport, "/ip4/0.0.0.0/tcp/0").await;
    let addresses = listener.addresses();
    let texts: BTreeSet<String> = addresses.iter().map(ToString::to_string).collect();
    assert!(
        texts.iter().any(|text| text.starts_with("/ip4/127.0.0.1/tcp/")),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .all(|text| !text.contains("/0.0.0.0/") && !text.ends_with("/tcp/0")),
        "{texts:?}"
    );
    for there in &addresses {
        dial(&transport, there, Purpose::Use).await.unwrap();
        assert!(matches!(listener.next().await, ListenerEvent::Incoming(_)));
    }
}

#[tokio::test]
async fn both_families_share_a_port() {
    let transport = TcpTransport::new();
    let Ok(six) = transport.listen(&addr("/ip6/::1/tcp/0")).await else {
        return; // A machine without IPv6.
    };
    let there = six.addresses().remove(0);
    assert!(there.to_string().starts_with("/ip6/::1/tcp/"), "{there}");
    dial(&transport, &there, Purpose::Use).await.unwrap();
    // An IPv6 wildcard takes no IPv4 connections.
    let wildcard = listen(&transport, "/ip6/::/tcp/0").await;
    assert!(
        wildcard
            .addresses()
            .iter()
            .all(|addr| addr.to_string().starts_with("/ip6/"))
    );
}

#[tokio::test]
async fn addresses_that_are_not_dialled() {
    let transport = TcpTransport::new();
    for text in [
        "/ip4/0.0.0.0/tcp/4001",
        "/ip6/::/tcp/4001",
        "/ip4/127.0.0.1/tcp/0",
        "/dns4/localhost/tcp/4001",
    ] {
        let refused = dial(&transport, &addr(text), Purpose::Use).await;
        assert!(
            matches!(refused, Err(TransportError::Unsupported(_))),
            "{text}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let transport = TcpTransport::new();
    let listener = listen(&transport, "/ip4/127.0.0.1/tcp/0").await;
    match transport.listen(&listener.addresses()[0]).await {
        Err(TransportError::Io(error)) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("listened twice"),
    }
}
