//! Whole nodes over WebSocket, plain and secure, beside TCP on one port.

#![cfg(all(
    feature = "dns",
    feature = "identify",
    feature = "tls",
    feature = "ping",
    feature = "tcp",
    feature = "websocket",
    feature = "yamux"
))]

use sinew::{
    AddressPolicy, ConnectionInfo, DialOptions, Host, Keypair, Multiaddr, Node, NodeBuilder, ProtocolId,
    Stream, addr::join_peer, identify, ping::Ping, websocket::Certificate,
};
use sinew_crypto::Sha256;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Outcome = Result<(), Box<dyn Error>>;

const MIB: usize = 1024 * 1024;

/// A server that echoes, and a client that believes its certificate.
struct Nodes {
    server: Host,
    client: Host,
    ping: Ping,
    identify: identify::Handle,
}

async fn echo(mut stream: Stream) {
    while let Ok(Some(chunk)) = stream.read_chunk().await {
        if stream.write_chunk(chunk).await.is_err() {
            return;
        }
    }
    // The peer may have gone: then there is nobody to tell.
    let _ = stream.finish().await;
}

async fn nodes(
    listen: impl Fn(NodeBuilder) -> Result<NodeBuilder, sinew::AddrError>,
) -> Result<Nodes, Box<dyn Error>> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)?;
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes())?;
    let server = Node::builder(Keypair::generate()).websocket(|ws| ws.with_certificate(certificate));
    let server = listen(server)?.start().await?;
    server.set_stream_handler("/echo/1.0.0", echo)?;
    let client = Node::builder(Keypair::generate())
        .address_policy(AddressPolicy::LocalNames)
        .websocket(|ws| ws.with_roots(vec![made.cert.der().clone()]));
    let (ping, identify) = (client.ping(), client.identify());
    let client = client.start().await?;
    client.set_stream_handler("/echo/1.0.0", echo)?;
    Ok(Nodes {
        server,
        client,
        ping,
        identify,
    })
}

impl Nodes {
    /// Dials `addr`, does what applications do, and says what the connection is.
    async fn visit(&self, addr: &Multiaddr) -> Result<Arc<ConnectionInfo>, Box<dyn Error>> {
        let peer = self.server.peer_id();
        let options = DialOptions::default();
        let connection = self.client.dial(join_peer(addr.clone(), &peer)?, options).await?;
        self.ping.ping(peer).await?;
        let info = self.identify.identify(peer).await?;
        assert!(info.listen_addrs.contains(&self.server.listen_addrs()[0]));
        echoed(self.client.new_stream(&peer, ["/echo/1.0.0"]).await?).await?;
        // The server asks too, on the connection that it was dialled on.
        let asker = self.client.peer_id();
        echoed(self.server.new_stream(&asker, ["/echo/1.0.0"]).await?).await?;
        Ok(connection.info().clone())
    }

    async fn end(self) {
        self.client.shutdown(Duration::from_secs(1)).await;
        self.server.shutdown(Duration::from_secs(1)).await;
    }
}

/// 16 MiB there and back, at once, compared by checksum.
async fn echoed(stream: Stream) -> Outcome {
    let block: Vec<u8> = (0..MIB).map(|at| (at * 31 + at / 253) as u8).collect();
    let (mut reading, mut writing) = tokio::io::split(stream);
    let sending = async {
        let mut sum = Sha256::new();
        for _ in 0..16 {
            writing.write_all(&block).await?;
            sum.update(&block);
        }
        writing.shutdown().await?;
        Ok::<_, Box<dyn Error>>(sum.finish())
    };
    let receiving = async {
        let (mut sum, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
        loop {
            let read = reading.read(&mut buffer).await?;
            if read == 0 {
                return Ok((sum.finish(), length));
            }
            sum.update(&buffer[..read]);
            length += read;
        }
    };
    let (sent, (received, length)) = tokio::try_join!(sending, receiving)?;
    assert_eq!(length, 16 * MIB);
    assert_eq!(sent, received);
    Ok(())
}

fn is_over(info: &ConnectionInfo, transport: &str, form: &str) {
    assert_eq!(info.transport, transport);
    assert!(info.remote.to_string().ends_with(form), "{}", info.remote);
    assert_eq!(info.security.as_ref().map(ProtocolId::as_str), Some("/tls/1.0.0"));
    assert_eq!(info.muxer.as_ref().map(ProtocolId::as_str), Some("/yamux/1.0.0"));
}

#[tokio::test]
async fn plain() -> Outcome {
    let nodes = nodes(|server| server.listen("/ip4/127.0.0.1/tcp/0/ws")).await?;
    let addr = nodes.server.listen_addrs().remove(0);
    is_over(&*nodes.visit(&addr).await?, "ws", "/ws");
    let theirs = nodes.server.connections().remove(0);
    is_over(&theirs, "ws", "/ws");
    nodes.end().await;
    Ok(())
}

#[tokio::test]
async fn secure() -> Outcome {
    let nodes = nodes(|server| server.listen("/ip4/127.0.0.1/tcp/0/tls/ws")).await?;
    let addr = nodes.server.listen_addrs().remove(0);
    is_over(&*nodes.visit(&addr).await?, "wss", "/tls/ws");
    let theirs = nodes.server.connections().remove(0);
    is_over(&theirs, "wss", "/tls/ws");
    nodes.end().await;
    Ok(())
}

/// The certificate is for `localhost`, and the name that was dialled is the one that it is held against.
#[tokio::test]
async fn secure_by_name() -> Outcome {
    let nodes = nodes(|server| server.listen("/ip4/127.0.0.1/tcp/0/wss")).await?;
    let addr = nodes.server.listen_addrs().remove(0).to_string();
    let named: Multiaddr = addr.replace("/ip4/127.0.0.1", "/dns4/localhost").parse()?;
    is_over(&*nodes.visit(&named).await?, "wss", "/tls/sni/localhost/ws");
    nodes.end().await;
    Ok(())
}

#[tokio::test]
async fn three_transports_on_one_port() -> Outcome {
    let nodes = nodes(|server| server.listen("/ip4/127.0.0.1/tcp/0")).await?;
    let tcp = nodes.server.listen_addrs().remove(0);
    let forms = [("tcp", ""), ("ws", "/ws"), ("wss", "/tls/ws")];
    for (_, form) in &forms[1..] {
        nodes
            .server
            .listen(format!("{tcp}{form}").parse::<Multiaddr>()?)
            .await?;
    }
    for (name, form) in forms {
        let addr: Multiaddr = format!("{tcp}{form}").parse()?;
        let peer = nodes
            .client
            .connect(join_peer(addr.clone(), &nodes.server.peer_id())?)
            .await?;
        let info = nodes.client.connections().remove(0);
        assert_eq!((info.transport, &info.remote), (name, &addr));
        nodes.ping.ping(peer).await?;
        let theirs = nodes.server.connections().remove(0);
        assert_eq!((theirs.transport, &theirs.local), (name, &addr));
        nodes.client.disconnect(&peer);
        while !nodes.server.connections().is_empty() || !nodes.client.connections().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    nodes.end().await;
    Ok(())
}
