//! Ends a fuzzer once it has used its processor time: libFuzzer itself counts by the clock only.

#[cfg(target_os = "linux")]
use crate::proc;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often the time is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Sends a fuzzer the signal to end and to print its figures once it has used `time`; returns when it has ended, with
/// what it had used when it was last looked at.
pub(super) fn watch(fuzzer: Pid, time: Duration) -> Duration {
    let (mut used, started) = (Duration::ZERO, Instant::now());
    loop {
        thread::sleep(LOOK);
        match processor_time(fuzzer, started) {
            Some(now) => used = now,
            None => return used,
        }
        // One that has just ended takes no signal, and needs none.
        if used >= time && kill_process(fuzzer, Signal::USR1).is_err() {
            return used;
        }
    }
}

/// User and system time of a process that has not been reaped.
#[cfg(target_os = "linux")]
fn processor_time(pid: Pid, _: Instant) -> Option<Duration> {
    let seconds = proc::cpu(pid.as_raw_nonzero().get().unsigned_abs()).ok()?;
    Some(Duration::from_secs_f64(seconds))
}

/// Elsewhere the time by the clock stands for it.
#[cfg(not(target_os = "linux"))]
fn processor_time(pid: Pid, started: Instant) -> Option<Duration> {
    rustix::process::test_kill_process(pid).ok()?;
    Some(started.elapsed())
}
