//! Whole hosts over this transport, on the network of these tests: the facade joins no more than this.

use std::{error::Error, sync::Arc, time::Duration};

use sinew_core::{DialOptions, Stream};
use sinew_host::HostBuilder;
use sinew_identity::Keypair;
use sinew_runtime::now;

use super::{
    net::Network,
    rig::{LISTEN, addr},
};
use crate::{Certificate, Config, QuicTransport};

const LATENCY: Duration = Duration::from_millis(50);

/// A node of the network that is known by the key of its certificate.
fn host(network: &Network) -> Result<HostBuilder, Box<dyn Error>> {
    let key = Keypair::generate();
    let certificate = Certificate::new(&key)?;
    let transport = QuicTransport::over(network.clone(), certificate, Config::default());
    Ok(HostBuilder::new(Arc::new(key)).transport(transport))
}

/// From the dial to the first byte of an answer that does not wait for the request's end. The handshake of QUIC is one
/// round trip, and the negotiation of the stream's protocol travels with the request.
#[tokio::test(start_paused = true)]
async fn a_first_answer_takes_two_round_trips() -> Result<(), Box<dyn Error>> {
    let network = Network::new(LATENCY);
    let server = host(&network)?.listen(addr(LISTEN)).start().await?;
    server.set_stream_handler("/question/1.0.0", async |mut stream: Stream| {
        let mut request = [0; 8];
        if stream.read_exact(&mut request).await.is_ok() {
            // Whoever has left needs no answer.
            let _ = stream.write_all(b"answer").await;
            let _ = stream.finish().await;
        }
    })?;
    let client = host(&network)?.start().await?;
    let begun = now();
    let connection = client.dial(server.listen_addrs(), DialOptions::default()).await?;
    let mut stream = connection.open(["/question/1.0.0"]).await?;
    stream.write_all(b"question").await?;
    stream.flush().await?;
    stream.read_exact(&mut [0; 1]).await?;
    // Timers have a grain of a millisecond.
    let passed = (now() - begun).as_millis() / 10 * 10;
    assert_eq!(passed, 4 * LATENCY.as_millis());
    client.shutdown(Duration::ZERO).await;
    server.shutdown(Duration::ZERO).await;
    Ok(())
}
