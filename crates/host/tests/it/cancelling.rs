//! Streams that their opener leaves before anybody serves them.

use crate::rig::{builder, listening, silent};
use sinew_core::{
    AcceptStreams, CloseCode, CloseReason, Multiaddr, MuxedConnection, MuxerUpgrade, Role, SecureRequest,
    SecureUpgrade, Unlimited, code,
};
use sinew_identity::Keypair;
use sinew_multistream::{machine::HEADER, select};
use sinew_plaintext::InsecurePlaintext;
use sinew_runtime::{TaskScope, now, sleep};
use sinew_yamux::Yamux;
use std::{io, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longer than any step of a test.
const LONG: Duration = Duration::from_secs(10);

/// How a stream is left once its header was answered.
#[derive(Clone, Copy, Debug)]
enum Way {
    Reset,
    Finish,
}

/// A peer that does by hand what a host would do, and so can stop in the middle.
struct Guest {
    muxed: Arc<dyn MuxedConnection>,
    _held: (Box<dyn AcceptStreams>, TaskScope),
}

impl Guest {
    async fn new(addr: &Multiaddr) -> Self {
        let mut io = silent(addr).await.io;
        let plaintext = InsecurePlaintext::new(Keypair::generate().public());
        select(&mut io, vec![plaintext.protocol()], LONG)
            .await
            .expect("agrees");
        let request = SecureRequest::new(Role::Dialer, None, Vec::new());
        let mut io = plaintext.secure(io, request).await.expect("believes").io;
        let yamux = Yamux::default();
        select(&mut io, vec![yamux.protocol()], LONG)
            .await
            .expect("agrees");
        let muxed = yamux.mux(io, Role::Dialer, Arc::new(Unlimited));
        let tasks = TaskScope::new("guest");
        let driver = muxed.driver;
        tasks.spawn("driver", async { drop(driver.await) });
        Self {
            muxed: muxed.handle,
            _held: (muxed.accept, tasks),
        }
    }

    /// Opens a stream, says the header and leaves once it is answered.
    async fn cancel(&self, way: Way) -> io::Result<()> {
        let mut stream = self.muxed.open().await.map_err(io::Error::other)?;
        let header = format!("\x13{HEADER}\n");
        stream.write_all(header.as_bytes()).await?;
        stream.read_exact(&mut vec![0; header.len()]).await?;
        match way {
            Way::Reset => stream.reset(CloseCode::NONE),
            Way::Finish => stream.shutdown().await?,
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_cancels_streams_without_end_is_cut() {
    for way in [Way::Reset, Way::Finish] {
        let (_server, addr) = listening(builder()).await;
        let (guest, begun) = (Guest::new(&addr).await, now());
        let mut cancelled = 0;
        while guest.cancel(way).await.is_ok() {
            cancelled += 1;
            assert!(cancelled < 2000, "{way:?} costs nothing");
        }
        assert!(cancelled > 400, "{way:?}: {cancelled}");
        let reason = guest.muxed.closed().await;
        assert!(
            matches!(reason, CloseReason::Remote(code) if code == code::connection::PROTOCOL_VIOLATION),
            "{way:?}: {reason}"
        );
        assert_eq!(now(), begun, "at once");
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_cancelled_streams_a_second_are_borne() {
    let (_server, addr) = listening(builder()).await;
    let guest = Guest::new(&addr).await;
    for number in 0..20 * 60 * 2 {
        let way = if number % 2 == 0 { Way::Reset } else { Way::Finish };
        guest.cancel(way).await.expect("the connection stays");
        sleep(Duration::from_millis(50)).await;
    }
}
