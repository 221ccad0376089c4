//! The command as a child whose memory is watched.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What one run of the command gave, and took.
pub struct Run {
    /// The answer, or what the command said.
    pub answer: Result<String, String>,
    /// The most memory that was its own: anonymous and shared, in bytes.
    pub peak: u64,
    pub time: Duration,
}

/// How the command is run.
pub struct Setting<'a> {
    pub file: &'a Path,
    pub scratch: &'a Path,
    /// `--memory`; `None` is the default.
    pub memory: Option<&'a str>,
    /// The most private writable memory that the system maps for the child (`RLIMIT_DATA`), in bytes: stacks of threads
    /// and what the allocator keeps are in it.
    pub data_limit: Option<u64>,
}

/// The command: that of `PARTITA`, as users have it, or the one that was built with this.
pub fn binary() -> std::ffi::OsString {
    std::env::var_os("PARTITA").unwrap_or_else(|| env!("CARGO_BIN_EXE_partita").into())
}

/// Runs statements with two threads, and looks at the memory every millisecond.
pub fn run(setting: &Setting, sql: &str) -> Run {
    let mut command = match setting.data_limit {
        None => Command::new(binary()),
        Some(bytes) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -d \"$1\" || exit 99; shift; exec \"$@\"", "sh", &(bytes >> 10).to_string()]);
            shell.arg(binary());
            shell
        }
    };
    command.arg("-t").arg(format!("t={}", setting.file.display())).arg("--scratch").arg(setting.scratch);
    command.args(["--threads", "2", "-csv", "--no-header", "-c", sql]);
    command.args(setting.memory.iter().flat_map(|size| ["--memory", size]));
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(own_memory(&child));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let time = begun.elapsed();
    // What is printed is small: it never fills the pipes.
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let answer = if status.success() { Ok(out) } else { Err(format!("{status}: {err}")) };
    Run { answer, peak, time }
}

/// `RssAnon` and `RssShmem` of the child, in bytes; 0 when it has gone.
fn own_memory(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
    };
    (field("RssAnon:") + field("RssShmem:")) << 10
}
