//! What stands in logs says which peer and which connection it is about.

use crate::rig::{ask, builder, listening, started};
use sinew_core::Stream;
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn lines_of_handlers_name_the_peer_and_the_connection() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (server, addr) = listening(builder()).await;
    server
        .set_stream_handler("/echo", |mut stream: Stream| async move {
            tracing::info!("in the handler");
            stream.finish().await.expect("the asker waits");
        })
        .expect("free");
    let client = started(builder()).await;
    let peer = client.connect(addr).await.expect("connects");
    let stream = client.new_stream(&peer, ["/echo"]).await.expect("opens");
    ask(stream, b"").await.expect("answers");
    client.shutdown(Duration::from_secs(1)).await;
    server.shutdown(Duration::from_secs(1)).await;

    let text = String::from_utf8(log.0.lock().expect("no writer panics").clone()).expect("text");
    let line = text
        .lines()
        .find(|line| line.contains("in the handler"))
        .expect("logged");
    let peer = format!("peer={}", client.peer_id());
    assert!(
        line.contains("stream{connection=c") && line.contains(&peer),
        "{line}"
    );
}
