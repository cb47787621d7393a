//! What the system says of a process, and where a process may run.

use crate::error::AttackError;
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};
use std::{fs, time::Duration};

/// Raises the limit of open files to the hardest one, for this process and its children.
pub(crate) fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it may not be raised, a run says so by failing to connect.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// Lets this thread, and processes that it starts, run on the first core or on all others.
pub(crate) fn pin(first: bool) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).max(2);
    let mut set = CpuSet::new();
    (0..cores.max(2))
        .filter(|core| (*core == 0) == first)
        .for_each(|core| set.set(core));
    // A machine with one core has nothing to choose from.
    let _ = sched_setaffinity(None, &set);
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64, AttackError> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| AttackError::Proc(pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or(AttackError::Proc(pid))
}

/// Processor time that a process has used.
pub(crate) fn cpu(pid: u32) -> Result<Duration, AttackError> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|_| AttackError::Proc(pid))?;
    // The name of the program, in parentheses, may hold spaces; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').ok_or(AttackError::Proc(pid))?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok(Duration::from_millis(ticks * 10))
}

/// Open descriptors of a process.
pub(crate) fn descriptors(pid: u32) -> Result<usize, AttackError> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).map_err(|_| AttackError::Proc(pid))?;
    Ok(entries.count())
}
