//! What the comparison ran on, and from which state of the repository.

use std::{fs, process::Command};

use serde::Serialize;

use crate::workspace;

/// The machine and the tools.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) go: String,
    pub(crate) commit: String,
}

impl Machine {
    /// In one sentence.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{}, {} cores, Linux {}; {}; {}; Sinew at {}.",
            self.processor, self.cores, self.kernel, self.rustc, self.go, self.commit
        )
    }
}

/// Describes this one; what cannot be told is empty.
pub(crate) fn describe() -> Machine {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    Machine {
        processor: processor(&read("/proc/cpuinfo")).to_owned(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        rustc: said("rustc", &["--version"]),
        go: said("go", &["version"]),
        commit: said("git", &["describe", "--always", "--dirty"]),
    }
}

fn processor(cpuinfo: &str) -> &str {
    cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("", |(_, name)| name.trim())
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(workspace::root())
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_once_for_all_cores() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Chip\nprocessor\t: 1\nmodel name\t: A Chip\n";
        assert_eq!(processor(cpuinfo), "A Chip");
        assert_eq!(processor(""), "");
    }
}
