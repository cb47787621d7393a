//! TCP, WebSocket and secure WebSocket on one port.

use std::time::Duration;

use sinew_core::{Blame, Culpable, Listener, Multiaddr, Transport, TransportError};
use sinew_socket::{NotShared, TcpSockets, UnknownStart, tcp_addr};
use sinew_tcp::TcpTransport;
use sinew_websocket::WebSocketTransport;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::made::{accept, addr, certificate, dial, finish, incoming, listen};

/// As multistream-select begins.
const HEADER: &[u8] = b"\x13/multistream/1.0.0\n";

struct Shared {
    tcp: TcpTransport,
    websocket: WebSocketTransport,
    sockets: TcpSockets,
}

fn shared() -> Shared {
    let sockets = TcpSockets::new();
    let (certificate, root) = certificate(&["127.0.0.1"]);
    Shared {
        tcp: TcpTransport::sharing(sockets.clone()),
        websocket: WebSocketTransport::sharing(sockets.clone())
            .with_certificate(certificate)
            .with_roots(vec![root]),
        sockets,
    }
}

fn with(addr: &Multiaddr, form: &str) -> Multiaddr {
    format!("{addr}{form}").parse().expect("an address")
}

/// Connections of each kind arrive at `listener`, each as what it is.
async fn serves_all(shared: &Shared, listener: &mut dyn Listener, at: &Multiaddr) {
    for (form, name) in [("", None), ("/ws", Some("ws")), ("/tls/ws", Some("wss"))] {
        let to = with(at, form);
        let talking = async {
            let mut ours = match name {
                None => dial(&shared.tcp, &to).await.expect("connected"),
                Some(_) => dial(&shared.websocket, &to).await.expect("connected"),
            };
            ours.io.write_all(HEADER).await.expect("written");
            ours.io.flush().await.expect("flushed");
            ours
        };
        let (ours, theirs) = tokio::join!(talking, accept(listener));
        let mut theirs = theirs.expect("accepted");
        assert_eq!((&theirs.local, &theirs.remote), (&to, &ours.local));
        assert_eq!(theirs.transport, name.or(Some("tcp")));
        let mut read = [0; HEADER.len()];
        theirs.io.read_exact(&mut read).await.expect("read");
        assert_eq!(read, HEADER);
    }
}

#[tokio::test]
async fn whichever_accepts_a_connection_it_is_served_by_its_own() {
    let shared = shared();
    let (mut tcp, at) = listen(&shared.tcp, "/ip4/127.0.0.1/tcp/0").await;
    let (mut ws, _) = listen(&shared.websocket, &with(&at, "/ws").to_string()).await;
    let (mut wss, wss_at) = listen(&shared.websocket, &with(&at, "/tls/ws").to_string()).await;
    assert_eq!(wss_at, with(&at, "/tls/ws"));
    for listener in [&mut *tcp, &mut *ws, &mut *wss] {
        serves_all(&shared, listener, &at).await;
    }
}

#[tokio::test]
async fn who_says_nothing_holds_up_nobody_and_who_says_nonsense_is_refused() {
    let shared = shared();
    let (mut tcp, at) = listen(&shared.tcp, "/ip4/127.0.0.1/tcp/0").await;
    let _ws = listen(&shared.websocket, &with(&at, "/ws").to_string()).await;
    let socket = tcp_addr(&at).unwrap();
    let silent = TcpStream::connect(socket).await.unwrap();
    let waiting = finish(incoming(&mut *tcp).await);
    tokio::pin!(waiting);
    assert!(
        sinew_runtime::timeout(Duration::from_millis(20), &mut waiting)
            .await
            .is_err()
    );
    let mut nonsense = TcpStream::connect(socket).await.unwrap();
    nonsense.write_all(b"SSH-2.0").await.unwrap();
    let error = accept(&mut *tcp).await.unwrap_err();
    let TransportError::Failed(failed) = &error else {
        panic!("{error}");
    };
    let failed: &dyn std::error::Error = &**failed;
    assert_eq!(failed.downcast_ref(), Some(&UnknownStart(b'S')));
    assert_eq!(error.blame(), Blame::Peer);
    drop(silent);
    assert_eq!(waiting.await.unwrap_err().blame(), Blame::Network);
}

#[tokio::test]
async fn one_leaves_and_the_other_stays() {
    let shared = shared();
    let (tcp, at) = listen(&shared.tcp, "/ip4/127.0.0.1/tcp/0").await;
    let (mut ws, ws_at) = listen(&shared.websocket, &with(&at, "/ws").to_string()).await;
    drop(tcp);
    assert!(shared.sockets.for_dial(tcp_addr(&at).unwrap()).is_none());
    let (ours, theirs) = tokio::join!(dial(&shared.websocket, &ws_at), accept(&mut *ws));
    assert_eq!(ours.unwrap().local, theirs.unwrap().remote);
    // It can come back, and once both are gone the port is free.
    let back = shared.tcp.listen(&at).await.unwrap();
    drop((back, ws));
    let other = TcpTransport::new().listen(&at).await.unwrap();
    assert!(
        shared.tcp.listen(&at).await.is_err(),
        "a port of somebody else is not shared"
    );
    drop(other);
}

#[tokio::test]
async fn who_arrived_before_the_listener_went_is_served() {
    let shared = shared();
    let (mut ws, at) = listen(&shared.websocket, "/ip4/127.0.0.1/tcp/0/ws").await;
    let accepting = async {
        let arrived = incoming(&mut *ws).await;
        drop(ws);
        finish(arrived).await
    };
    let (ours, theirs) = tokio::join!(dial(&shared.websocket, &at), accepting);
    assert_eq!(ours.unwrap().local, theirs.unwrap().remote);
}

#[tokio::test]
async fn the_same_kind_does_not_listen_twice() {
    let shared = shared();
    let (_ws, at) = listen(&shared.websocket, "/ip4/127.0.0.1/tcp/0/ws").await;
    let twice = shared.websocket.listen(&with(&at, "/http-path/a")).await;
    assert!(matches!(twice, Err(TransportError::Io(_))));
}

#[tokio::test]
async fn under_a_private_network_key_tcp_is_apart() {
    let shared = shared();
    shared.sockets.keep_tcp_apart();
    let (_tcp, at) = listen(&shared.tcp, "/ip4/127.0.0.1/tcp/0").await;
    let refused = shared.websocket.listen(&with(&at, "/ws")).await;
    let Err(TransportError::Failed(failed)) = refused else {
        panic!("shared");
    };
    let failed: &dyn std::error::Error = &*failed;
    assert_eq!(failed.downcast_ref(), Some(&NotShared(tcp_addr(&at).unwrap())));
    // Two that are told apart by bytes before the key's may share.
    let (_ws, at) = listen(&shared.websocket, "/ip4/127.0.0.1/tcp/0/ws").await;
    let at = addr(&at.to_string().replace("/ws", "/tls/ws"));
    shared.websocket.listen(&at).await.unwrap();
}
