//! What the system says of a process, of whatever language: processor time and resident memory.

use std::{fs, io};

/// Clock ticks a second, as `/proc` counts them on every Linux that these programs run on.
const TICKS: f64 = 100.0;

/// Seconds of a processor, in user mode and in the system, since the process began.
pub(crate) fn cpu(pid: u32) -> io::Result<f64> {
    parse_cpu(&fs::read_to_string(format!("/proc/{pid}/stat"))?).ok_or_else(unreadable)
}

/// Bytes of resident memory.
pub(crate) fn resident(pid: u32) -> io::Result<f64> {
    parse_resident(&fs::read_to_string(format!("/proc/{pid}/status"))?).ok_or_else(unreadable)
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not in the form of /proc")
}

fn parse_cpu(stat: &str) -> Option<f64> {
    // The name of the program, in parentheses, may hold anything; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

fn parse_resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 99 99 20 0";
        assert_eq!(parse_cpu(stat), Some(3.0));
        assert_eq!(parse_cpu("7 (a) S"), None);
    }

    #[test]
    fn resident_memory_is_in_kib() {
        assert_eq!(parse_resident("VmPeak:\t 9 kB\nVmRSS:\t 12 kB\n"), Some(12_288.0));
        assert_eq!(parse_resident("VmPeak:\t 9 kB\n"), None);
    }
}
