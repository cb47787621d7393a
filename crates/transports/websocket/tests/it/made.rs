//! What tests are made of: certificates, connections, and errors taken apart.

use std::{io, sync::Arc};

use rustls_pki_types::CertificateDer;
use sinew_core::{
    BoxedIo, DialRequest, Incoming, Link, Listener, ListenerEvent, Multiaddr, Purpose, RawConnection,
    Transport, TransportError, Unlimited,
};
use sinew_websocket::{Certificate, HandshakeError, WebSocketTransport, WsAddr, machine::FrameError};
use tokio::net::TcpStream;

/// A certificate for these names, and the root that it is itself.
pub(crate) fn certificate(names: &[&str]) -> (Certificate, CertificateDer<'static>) {
    let (chain, key, root) = pem(names);
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).expect("our own PEM");
    (certificate, root)
}

/// The same as text: chain and key.
pub(crate) fn pem(names: &[&str]) -> (String, String, CertificateDer<'static>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let root = made.cert.der().clone();
    (made.cert.pem(), made.signing_key.serialize_pem(), root)
}

pub(crate) fn addr(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

pub(crate) async fn listen(transport: &impl Transport, text: &str) -> (Box<dyn Listener>, Multiaddr) {
    let listener = transport.listen(&addr(text)).await.expect("listening");
    let there = listener.addresses().remove(0);
    (listener, there)
}

pub(crate) async fn dial(
    transport: &impl Transport,
    to: &Multiaddr,
) -> Result<RawConnection, TransportError> {
    let request = DialRequest::new(None, Purpose::Use, Arc::new(Unlimited));
    transport.dial(to, request).await.map(raw)
}

pub(crate) async fn incoming(listener: &mut dyn Listener) -> Box<dyn Incoming> {
    match listener.next().await {
        ListenerEvent::Incoming(incoming) => incoming,
        _ => panic!("something else than a connection"),
    }
}

pub(crate) async fn finish(incoming: Box<dyn Incoming>) -> Result<RawConnection, TransportError> {
    incoming.finish(Arc::new(Unlimited)).await.map(raw)
}

pub(crate) async fn accept(listener: &mut dyn Listener) -> Result<RawConnection, TransportError> {
    finish(incoming(listener).await).await
}

fn raw(link: Link) -> RawConnection {
    match link {
        Link::Raw(raw) => raw,
        other => panic!("{other:?}"),
    }
}

/// A listener's end, and the socket of a client that has said nothing yet.
pub(crate) async fn stranger() -> (Box<dyn Incoming>, TcpStream) {
    let (mut listener, there) = listen(&WebSocketTransport::new(), "/ip4/127.0.0.1/tcp/0/ws").await;
    let to = WsAddr::read(&there).expect("an address of ours").socket;
    let stream = TcpStream::connect(to).await.expect("connected");
    (incoming(&mut *listener).await, stream)
}

pub(crate) fn handshake_error(error: &TransportError) -> &HandshakeError {
    match error {
        TransportError::Failed(failed) => {
            let failed: &dyn std::error::Error = &**failed;
            failed.downcast_ref().expect("an error of the handshake")
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn frame_error(error: &io::Error) -> FrameError {
    let inner = error.get_ref().expect("an error of frames");
    *inner.downcast_ref().expect("an error of frames")
}

/// Whether nothing but the end comes.
pub(crate) async fn ends(io: &mut BoxedIo) -> bool {
    matches!(tokio::io::AsyncReadExt::read(io, &mut [0; 1]).await, Ok(0))
}
