//! A node that has no file left to accept with says so, waits, and accepts once it has one again.
//!
//! Alone in its file: the limit holds for the whole process.
#![cfg(unix)]

use std::{fs::File, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sinew_core::{ListenerEvent, Transport, TransportError};
use sinew_socket::tcp_addr;
use sinew_tcp::TcpTransport;
use tokio::net::TcpSocket;

#[tokio::test]
async fn accepting_goes_on_when_there_are_files_again() {
    let transport = TcpTransport::new();
    let mut listener = transport
        .listen(&"/ip4/127.0.0.1/tcp/0".parse().unwrap())
        .await
        .unwrap();
    let there = tcp_addr(&listener.addresses()[0]).unwrap();
    let dialler = TcpSocket::new_v4().unwrap();

    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(64),
            maximum: hard,
        },
    )
    .unwrap();
    let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let dialled = dialler.connect(there).await.unwrap();
    for _ in 0..2 {
        match listener.next().await {
            ListenerEvent::Failed(TransportError::Io(error)) => {
                assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
            }
            _ => panic!("accepted without a file"),
        }
    }
    drop(files);
    assert!(matches!(listener.next().await, ListenerEvent::Incoming(_)));
    drop(dialled);
}
