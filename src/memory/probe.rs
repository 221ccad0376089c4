//! What the kernel says about memory.

use crate::units::{GIB, KIB};
use std::fs;

/// Anonymous memory of this process that is in RAM, in bytes; `None` where the kernel does not tell.
pub fn anonymous_bytes() -> Option<usize> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "RssAnon:")
}

/// The default budget: 75 % of the smaller of the machine's memory and the cgroup's limit.
pub fn default_limit() -> usize {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemTotal:"));
    let all = machine.into_iter().chain(cgroup_limit()).min().unwrap_or(4 * GIB);
    all / 4 * 3
}

fn field(text: &str, name: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<usize>().ok()? * KIB)
}

/// The smallest `memory.max` from our cgroup up to the root (version 2), or the limit of version 1.
fn cgroup_limit() -> Option<usize> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/").to_string();
    let mut dir = std::path::PathBuf::from(format!("/sys/fs/cgroup{path}"));
    let mut least = number("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    while dir.starts_with("/sys/fs/cgroup") {
        least = least.into_iter().chain(number(&dir.join("memory.max").to_string_lossy())).min();
        if !dir.pop() {
            break;
        }
    }
    least
}

fn number(path: &str) -> Option<usize> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_words() {
        assert_eq!(field("Name:\tx\nRssAnon:\t    2048 kB\n", "RssAnon:"), Some(2048 * KIB));
        assert!(default_limit() > 0);
        assert!(!cfg!(target_os = "linux") || anonymous_bytes().unwrap() > 0);
    }
}
