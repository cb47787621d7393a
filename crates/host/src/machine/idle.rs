//! When a connection is closed for being idle.

use sinew_machine::Instant;
use std::time::Duration;

/// How long an unused connection stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Idle {
    /// The only connection to a peer.
    pub(crate) last: Duration,
    /// A connection beside a better one to the same peer, as two dials at once leave behind.
    pub(crate) spare: Duration,
}

/// What is known of a connection when its timer is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Usage {
    /// Whether a handle or a stream of it exists, or its peer is protected.
    pub(crate) in_use: bool,
    /// When it was last used.
    pub(crate) last_used: Instant,
    /// Whether new streams would take another connection to the peer.
    pub(crate) spare: bool,
}

impl Idle {
    /// When to look next; `None` when it is to be closed now.
    pub(crate) fn look_again(&self, now: Instant, usage: Usage) -> Option<Instant> {
        if usage.in_use {
            return Some(now + self.spare);
        }
        let allowed = if usage.spare { self.spare } else { self.last };
        let closes_at = usage.last_used + allowed;
        // It may become a spare one meanwhile.
        (closes_at > now).then(|| closes_at.min(now + self.spare))
    }
}

#[cfg(test)]
mod tests {
    use super::{Idle, Usage};
    use sinew_machine::Instant;
    use std::time::Duration;

    const IDLE: Idle = Idle {
        last: Duration::from_secs(60),
        spare: Duration::from_secs(10),
    };

    fn after(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn used_connections_stay_and_unused_ones_go_in_time() {
        let unused = Usage {
            in_use: false,
            last_used: after(100),
            spare: false,
        };
        for (usage, now, next) in [
            (
                Usage {
                    in_use: true,
                    ..unused
                },
                1000,
                Some(1010),
            ),
            (unused, 100, Some(110)),
            (unused, 155, Some(160)),
            (unused, 160, None),
            (
                Usage {
                    spare: true,
                    ..unused
                },
                105,
                Some(110),
            ),
            (
                Usage {
                    spare: true,
                    ..unused
                },
                110,
                None,
            ),
        ] {
            assert_eq!(
                IDLE.look_again(after(now), usage),
                next.map(after),
                "{usage:?} at {now}"
            );
        }
    }
}
