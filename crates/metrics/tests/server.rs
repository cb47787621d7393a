//! A node with metrics, read over HTTP.

use sinew_core::{ConnectionEvent, Host, Stream};
use sinew_gossipsub::{Config, Gossipsub, METRICS};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_memory::MemoryTransport;
use sinew_metrics::{Metrics, NAMES};
use sinew_plaintext::InsecurePlaintext;
use sinew_yamux::Yamux;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn node() -> (Host, SocketAddr) {
    let (host, addr, _) = node_with_gossipsub().await;
    (host, addr)
}

async fn node_with_gossipsub() -> (Host, SocketAddr, Gossipsub) {
    let (key, metrics) = (Keypair::generate(), Metrics::default());
    let server = metrics.serve(([127, 0, 0, 1], 0).into()).expect("a free port");
    let plaintext = InsecurePlaintext::new(key.public());
    let mut builder = HostBuilder::new(Arc::new(key))
        .transport(MemoryTransport::new())
        .security(plaintext)
        .muxer(Yamux::default())
        .meter(metrics)
        .listen("/memory/0".parse().expect("an address"));
    let addr = builder.add(server);
    let gossipsub = builder.add(Config::default());
    (builder.start().await.expect("starts"), addr, gossipsub)
}

/// What the server answers to these bytes, to the end.
async fn ask(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("listens");
    stream.write_all(request).await.expect("reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("answers and ends");
    answer
}

async fn scrape(addr: SocketAddr) -> String {
    ask(
        addr,
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await
}

/// The value of a line that begins so.
fn value(text: &str, line: &str) -> Option<u64> {
    let found = text.lines().find_map(|one| one.strip_prefix(line))?;
    found.trim().parse().ok()
}

/// The client sends 1,000 bytes, which come back.
async fn echo(server: &Host, client: &Host) {
    server
        .set_stream_handler("/echo", |mut stream: Stream| async move {
            let all = stream.read_to_end(4096).await.expect("sent");
            stream.write_all(&all).await.expect("read");
            stream.finish().await.expect("read");
        })
        .expect("free");
    let peer = client.connect(server.listen_addrs()).await.expect("connects");
    let mut stream = client.new_stream(&peer, ["/echo"]).await.expect("opens");
    stream.write_all(&[7; 1000]).await.expect("read");
    stream.finish().await.expect("read");
    assert_eq!(
        stream.read_to_end(4096).await.expect("answered"),
        [7; 1000].as_slice()
    );
}

#[tokio::test]
async fn an_answer_tells_what_a_node_did() {
    let ((server, at), (client, from)) = (node().await, node().await);
    echo(&server, &client).await;
    let (client_text, server_text) = (scrape(from).await, scrape(at).await);
    assert!(
        client_text.starts_with("HTTP/1.1 200") && client_text.ends_with("# EOF\n"),
        "{client_text}"
    );
    assert_eq!(
        value(
            &client_text,
            "sinew_dials_total{transport=\"memory\",outcome=\"ok\"}"
        ),
        Some(1)
    );
    assert_eq!(
        value(
            &server_text,
            "sinew_handshakes_total{transport=\"memory\",outcome=\"ok\"}"
        ),
        Some(1)
    );
    let open = "sinew_connections{direction=\"inbound\",transport=\"memory\",security=\"/plaintext/2.0.0\",muxer=\"/yamux/1.0.0\"}";
    assert_eq!(value(&server_text, open), Some(1), "{server_text}");
    for moved in ["read", "written"] {
        let line =
            format!("sinew_stream_bytes_total{{transport=\"memory\",protocol=\"/echo\",moved=\"{moved}\"}}");
        assert_eq!(
            (value(&client_text, &line), value(&server_text, &line)),
            (Some(1000), Some(1000)),
            "{client_text}"
        );
    }
    assert_eq!(value(&client_text, "sinew_connected_peers"), Some(1));
    let mut closed = server.subscribe::<ConnectionEvent>();
    client.shutdown(Duration::from_secs(1)).await;
    assert!(matches!(
        closed.next().await,
        Ok(Some(ConnectionEvent::Closed(..)))
    ));
    let all = client_text + &scrape(at).await;
    assert_eq!(value(&all, open), Some(0), "{all}");
    for name in NAMES {
        let family = name.trim_end_matches("_total");
        assert!(
            all.contains(&format!("# TYPE {family} ")),
            "{name} is missing in {all}"
        );
    }
    server.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn an_answer_tells_what_services_count() {
    let (host, addr, gossipsub) = node_with_gossipsub().await;
    let topics = ["a", "b"].map(|topic| topic.parse().expect("a topic"));
    let _followed = topics
        .each_ref()
        .map(|topic| gossipsub.subscribe(topic).expect("few"));
    // The service hears of topics when it likes.
    while !scrape(addr).await.contains("topic=\"b\"") {}
    let text = scrape(addr).await;
    assert_eq!(
        value(&text, "sinew_gossipsub_mesh_peers{topic=\"a\"}"),
        Some(0),
        "{text}"
    );
    let forged = "sinew_gossipsub_rejected_total{reason=\"forged\"}";
    assert_eq!(value(&text, forged), Some(0), "{text}");
    let sent = "sinew_gossipsub_ids_total{kind=\"IHAVE\",direction=\"sent\"}";
    assert_eq!(value(&text, sent), Some(0), "{text}");
    for name in METRICS {
        let family = name.trim_end_matches("_total");
        assert!(
            text.contains(&format!("# TYPE {family} ")),
            "{name} is missing in {text}"
        );
    }
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn other_questions_and_bad_input_are_answered_within_bounds() {
    let (host, addr) = node().await;
    let other = ask(
        addr,
        b"GET /else HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
    let garbage = ask(addr, b"\x13/multistream/1.0.0\n\r\n\r\n").await;
    assert!(
        garbage.is_empty() || garbage.starts_with("HTTP/1.1 400"),
        "{garbage}"
    );
    let endless = [b"GET /metrics HTTP/1.1\r\n".as_slice(), &b"a: b\r\n".repeat(2000)].concat();
    let endless = ask(addr, &endless[..8300]).await;
    assert!(
        endless.starts_with("HTTP/1.1 431") || endless.starts_with("HTTP/1.1 400"),
        "{endless}"
    );
    // Readers that say nothing take their places and no more: the node ends all the same.
    let mut silent = Vec::new();
    for _ in 0..32 {
        silent.push(TcpStream::connect(addr).await.expect("the backlog takes it"));
    }
    host.shutdown(Duration::from_secs(1)).await;
}
