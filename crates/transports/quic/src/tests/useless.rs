//! Streams that come to nothing, and what they cost whoever opens them.

use std::{sync::Arc, time::Duration};

use quinn::{Connection, ConnectionError, VarInt};
use sinew_core::{CloseReason, MuxedConnection, Unlimited, code};
use sinew_machine::BUDGET;
use sinew_runtime::{TaskScope, now, sleep, timeout};

use super::{
    bare::{Bare, HERE},
    net::Network,
    rig::{echo_streams, finish, incoming, listening},
};
use crate::{Config, QuicTransport};

/// A bare dialler of a node that sends back what comes on each stream.
struct Guest {
    theirs: Connection,
    ours: Arc<dyn MuxedConnection>,
    _held: (Bare, QuicTransport, TaskScope),
}

impl Guest {
    async fn new() -> Self {
        let network = Network::new(Duration::from_millis(1));
        let node = network.node(Config::default());
        let (mut listener, there) = listening(&node).await;
        let dialler = Bare::new(&network, HERE);
        let accepting = async { finish(incoming(&mut *listener).await, Arc::new(Unlimited)).await };
        let (theirs, ours) = tokio::join!(dialler.dial(&there), accepting);
        let (theirs, ours) = (theirs.expect("connects"), ours.expect("accepts"));
        let (handle, tasks) = (ours.muxed.handle.clone(), TaskScope::new("test"));
        let serving = tasks.clone();
        tasks.spawn("serve", async move { echo_streams(ours, &serving).await });
        Self {
            theirs,
            ours: handle,
            _held: (dialler, node, tasks),
        }
    }

    /// Opens a stream and leaves it without a byte.
    async fn nothing(&self, way: Way) -> Result<(), ConnectionError> {
        let (mut send, mut recv) = self.theirs.open_bi().await?;
        match way {
            Way::Reset => send.reset(VarInt::from_u32(1)),
            Way::Finish => send.finish(),
        }
        .expect("it is open");
        recv.stop(VarInt::from_u32(1)).expect("it is open");
        Ok(())
    }

    /// Has a byte sent back, and resets the stream then.
    async fn something(&self) {
        let (mut send, mut recv) = self.theirs.open_bi().await.expect("opens");
        send.write_all(b"x").await.expect("written");
        recv.read_exact(&mut [0]).await.expect("answered");
        send.reset(VarInt::from_u32(1)).expect("it is open");
    }

    async fn is_cut(&self) -> bool {
        timeout(Duration::from_millis(10), self.ours.closed())
            .await
            .is_ok()
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Reset,
    Finish,
}

#[tokio::test(start_paused = true)]
async fn whoever_opens_streams_for_nothing_without_end_is_cut() {
    for way in [Way::Reset, Way::Finish] {
        let (guest, begun) = (Guest::new().await, now());
        let mut opened = 0;
        let error = loop {
            match guest.nothing(way).await {
                Ok(()) => opened += 1,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(&error, ConnectionError::ApplicationClosed(close)
                if close.error_code == VarInt::from_u32(code::connection::PROTOCOL_VIOLATION.0)),
            "{way:?}: {error}"
        );
        let reason = guest.ours.closed().await;
        assert!(matches!(reason, CloseReason::Violation(_)), "{way:?}: {reason}");
        // Those beyond the budget were opened before the end of the connection arrived.
        assert!((BUDGET..BUDGET + 300).contains(&opened), "{way:?}: {opened}");
        assert!(now() - begun < Duration::from_secs(1), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_were_answered_cost_nothing() {
    let guest = Guest::new().await;
    for _ in 0..BUDGET + 500 {
        guest.something().await;
    }
    assert!(!guest.is_cut().await);
}

#[tokio::test(start_paused = true)]
async fn fifty_streams_a_second_may_come_to_nothing() {
    let guest = Guest::new().await;
    for number in 0..BUDGET * 3 {
        let way = if number % 2 == 0 { Way::Reset } else { Way::Finish };
        guest.nothing(way).await.expect("opens");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(!guest.is_cut().await);
}
