//! The only home of spawning, clocks and timers in Sinew.
//!
//! Everything that must run beside something else runs in a [`TaskScope`], so that every task has a name, a parent
//! and an end. Everything that needs the time asks here, so that tests can stop the clock: under a paused tokio
//! clock [`now`], [`sleep`], [`timeout`] and [`Timer`] all stand still until the test moves on.
//!
//! ```
//! use sinew_runtime::{TaskScope, now, sleep};
//! use std::time::Duration;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let scope = TaskScope::new("example");
//! scope.spawn("waiter", async { sleep(Duration::from_secs(3600)).await });
//! let before = now();
//! let cut = scope.end(Duration::from_secs(1)).await;
//! assert_eq!(cut, ["waiter"]);
//! assert_eq!(now() - before, Duration::from_secs(1));
//! # });
//! ```
//!
//! [`Driver`] runs a machine across peers (`sinew_machine::PeerMachine`) as a service: it moves frames, runs jobs and tells
//! the time. It deliberately knows no protocol: what frames mean and what jobs do is for its [`Shell`].

mod clock;
mod driver;
mod flusher;
mod scope;
mod timer;
mod wake;
mod write_deadline;

pub use clock::{now, wall_now};
pub use driver::{Caller, Driver, Ended, Malformed, Shell};
pub use flusher::Flusher;
pub use scope::TaskScope;
pub use timer::{Elapsed, Timer, sleep, sleep_until, timeout};
pub use wake::wake_later;
pub use write_deadline::WriteDeadline;
