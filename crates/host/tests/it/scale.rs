//! Many connections, and nothing left of them.

use crate::rig::{ask, builder, echo, listening, started};
use sinew_core::ConnectionEvent;
use sinew_host::Limits;
use std::time::Duration;

/// Peers: a twentieth of the scale run (`cargo xtask attack --row scale`), quick enough for every test run.
const PEERS: usize = 500;

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn of_500_connections_with_streams_nothing_is_left() {
    let (server, addr) = listening(builder().limits(Limits::one_machine_plays_many())).await;
    server.set_stream_handler("/echo", echo).expect("free");
    // The first connection makes what a host makes once.
    let first = started(builder()).await;
    first.connect(addr.clone()).await.expect("connects");
    first.shutdown(Duration::from_secs(1)).await;
    let mut events = server.subscribe::<ConnectionEvent>();
    let before = tasks();

    let mut clients = Vec::new();
    for n in 0..PEERS {
        let client = started(builder()).await;
        let peer = client.connect(addr.clone()).await.expect("connects");
        let mut stream = client.new_stream(&peer, ["/echo"]).await.expect("opens");
        stream.write_all(b"stays open").await.expect("is taken");
        let asked = client.new_stream(&peer, ["/echo"]).await.expect("opens");
        assert_eq!(ask(asked, &[7; 1024]).await.expect("answers"), [7; 1024]);
        assert_eq!(server.connections().len(), n + 1);
        assert!(matches!(
            events.next().await,
            Ok(Some(ConnectionEvent::Opened(_)))
        ));
        clients.push((client, stream));
    }
    assert_eq!(server.peers().len(), PEERS);
    assert!(tasks() > before + PEERS);

    for (client, stream) in clients {
        client.shutdown(Duration::ZERO).await;
        drop(stream);
        assert!(matches!(
            events.next().await,
            Ok(Some(ConnectionEvent::Closed(..)))
        ));
    }
    // Deadlines of what has ended may still run on the paused clock.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(server.connections().len(), 0);
    assert_eq!(server.peers().len(), 0);
    assert_eq!(tasks(), before, "tasks as before the first of them came");
    server.shutdown(Duration::from_secs(1)).await;
}
