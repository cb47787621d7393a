//! What the machine has: memory, as far as the process may use it, and open files.

use std::{fs, path::Path};

/// Bytes of memory: the machine's, or its control group's if those are fewer.
pub(super) fn memory() -> Option<u64> {
    let machine = total(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = |path: &Path| fs::read_to_string(path).ok()?.trim().parse().ok();
    let limits = group_files(&groups).into_iter();
    let least = limits.filter_map(|path| limit(Path::new(&path))).min();
    Some(least.map_or(machine, |limit: u64| limit.min(machine)))
}

/// Files that the process may have open now.
#[cfg(unix)]
pub(super) fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Files that the process may have open now: not known here.
#[cfg(not(unix))]
pub(super) fn descriptors() -> Option<u64> {
    None
}

/// The total of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The files with the memory limits of the control groups that `/proc/self/cgroup` names, of either version, and of
/// the groups around them. A file without a number (`max`) is no limit.
fn group_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        // Number of the hierarchy, controllers, path.
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for group in Path::new(path).ancestors() {
            let group = group.to_string_lossy();
            files.push(format!("{root}{}/{name}", group.trim_end_matches('/')));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::{group_files, total};

    #[test]
    fn the_total_is_read_in_bytes() {
        assert_eq!(
            total("MemFree:  1 kB\nMemTotal:       24684412 kB\n"),
            Some(24_684_412 * 1024)
        );
        for bad in [
            "",
            "MemTotal: 12\n",
            "MemTotal: x kB\n",
            "MemTotal: 99999999999999999999 kB\n",
        ] {
            assert_eq!(total(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_groups_around_a_group_limit_it_too() {
        assert_eq!(
            group_files("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b/memory.max",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/memory.max"
            ]
        );
        assert_eq!(
            group_files("3:cpu,memory:/x\n2:cpu:/y\nnonsense\n"),
            [
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes"
            ]
        );
    }
}
