//! Numbers: free ones, taken ones, and ones that nobody listens on.

use std::{io, sync::Arc};

use sinew_core::{DialRequest, Link, Multiaddr, Purpose, Transport, TransportError, Unlimited};
use sinew_memory::MemoryTransport;

fn request() -> DialRequest {
    DialRequest::new(None, Purpose::Use, Arc::new(Unlimited))
}

fn kind<T>(result: Result<T, TransportError>) -> Option<io::ErrorKind> {
    match result {
        Err(TransportError::Io(error)) => Some(error.kind()),
        _ => None,
    }
}

#[tokio::test]
async fn zero_stands_for_a_free_number() {
    let transport = MemoryTransport::new();
    let zero: Multiaddr = "/memory/0".parse().unwrap();
    let first = transport.listen(&zero).await.unwrap();
    let second = transport.listen(&zero).await.unwrap();
    assert_ne!(first.addresses(), second.addresses());
    assert_ne!(first.addresses(), [zero]);
}

#[tokio::test]
async fn a_number_is_taken_until_its_listener_is_dropped() {
    let transport = MemoryTransport::new();
    let addr: Multiaddr = "/memory/812".parse().unwrap();
    let listener = transport.listen(&addr).await.unwrap();
    assert_eq!(
        kind(transport.listen(&addr).await),
        Some(io::ErrorKind::AddrInUse)
    );
    drop(listener);
    transport.listen(&addr).await.unwrap();
}

#[tokio::test]
async fn a_number_without_a_listener_refuses() {
    let transport = MemoryTransport::new();
    let addr: Multiaddr = "/memory/813".parse().unwrap();
    assert_eq!(
        kind(transport.dial(&addr, request()).await),
        Some(io::ErrorKind::ConnectionRefused)
    );
}

#[tokio::test]
async fn each_dial_comes_from_a_number_of_its_own() {
    let transport = MemoryTransport::new();
    let listener = transport.listen(&"/memory/0".parse().unwrap()).await.unwrap();
    let mut locals = Vec::new();
    for _ in 0..2 {
        match transport.dial(&listener.addresses()[0], request()).await.unwrap() {
            Link::Raw(raw) => locals.push(raw.local),
            other => panic!("{other:?}"),
        }
    }
    assert_ne!(locals[0], locals[1]);
}
