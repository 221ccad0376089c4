//! Ends that nobody wants: killed, interrupted, out of scratch, out of memory. Nothing is left behind, and the exit code
//! and the message say what happened.
#![cfg(unix)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A directory with an input that spills under a small budget, a scratch, and a place for outputs.
struct Room {
    dir: tempfile::TempDir,
}

const SPILLING: &str = "SELECT id, text, count(*) AS n, sum(num) AS s FROM t GROUP BY id, text";

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::from("id,num,text\n");
        for row in 0..600_000_u64 {
            let x = row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            writeln!(text, "{},{},text {x:020} {:020}", x >> 20, x % 1000, x ^ (x >> 13)).unwrap();
        }
        std::fs::write(dir.path().join("t.csv"), text).unwrap();
        for name in ["scratch", "out"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Room { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, sql: &str, memory: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command.arg("-t").arg(format!("t={}", self.path("t.csv").display()));
        command.arg("--scratch").arg(self.path("scratch")).args(["--threads", "2", "--memory", memory, "-c", sql]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn writing(&self) -> Command {
        let mut command = self.command(SPILLING, "64MiB");
        command.arg("-o").arg(self.path("out/o.parquet"));
        command
    }

    /// A command that was stopped between its last rename and its end leaves the whole output; any other leaves none.
    fn whole_output_or_none(&self, when: &str) {
        let out = self.path("out/o.parquet");
        if out.exists() {
            let sql = format!("SELECT sum(n) AS n FROM '{}'", out.display());
            let output = ended(self.command(&sql, "64MiB").args(["--format", "csv"]).spawn().unwrap());
            assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n600000\n", "{when}: {}", said(&output));
            std::fs::remove_file(out).unwrap();
        }
        self.nothing_is_left(when);
    }

    fn nothing_is_left(&self, when: &str) {
        for name in ["scratch", "out"] {
            assert_eq!(names(&self.path(name)), Vec::<String>::new(), "{name} {when}");
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn signal(child: &Child, name: &str) {
    // The child may have ended just now: that is seen by its status.
    let _ = Command::new("kill").args([name, &child.id().to_string()]).stderr(Stdio::null()).status();
}

/// Waits, but not for ever: a child that hangs is killed, and the test fails.
fn ended(mut child: Child) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("the command hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The query as it should end: it does spill, and takes so long.
fn undisturbed(room: &Room) -> Duration {
    let begun = Instant::now();
    let output = ended(room.writing().arg("--stats").spawn().unwrap());
    assert!(output.status.success(), "{}", said(&output));
    assert!(!said(&output).contains("spilled 0 B"), "it should spill: {}", said(&output));
    assert_eq!(names(&room.path("out")), ["o.parquet"]);
    std::fs::remove_file(room.path("out/o.parquet")).unwrap();
    room.nothing_is_left("after an undisturbed run");
    begun.elapsed()
}

#[test]
fn a_killed_query_leaves_nothing() {
    let room = Room::new();
    let time = undisturbed(&room);
    for i in 0..20_u32 {
        let mut child = room.writing().spawn().unwrap();
        // Moments all over the run, in no order.
        std::thread::sleep(time * (i * 7 % 20) / 20);
        child.kill().unwrap();
        child.wait_with_output().unwrap();
        room.whole_output_or_none(&format!("after kill {i}"));
    }
}

/// A directory appears whole or not at all; what a killed writer left under a hidden name goes with the next one.
#[test]
fn a_killed_writer_of_a_directory_leaves_nothing_under_its_name() {
    let room = Room::new();
    let out = room.path("out");
    let copy = format!(
        "COPY (SELECT *, num % 300 AS k FROM t) TO '{}' (FORMAT csv, PARTITION_BY (k), OVERWRITE)",
        out.join("parts").display()
    );
    let begun = Instant::now();
    let output = ended(room.command(&copy, "64MiB").spawn().unwrap());
    assert!(output.status.success(), "{}", said(&output));
    let time = begun.elapsed();
    assert_eq!((names(&out).len(), names(&out.join("parts")).len()), (1, 300));
    for i in 0..8_u32 {
        std::fs::remove_dir_all(out.join("parts")).unwrap_or_default();
        let mut child = room.command(&copy, "64MiB").spawn().unwrap();
        std::thread::sleep(time * (i * 3 % 8 + 1) / 9);
        child.kill().unwrap();
        child.wait_with_output().unwrap();
        // It may have been stopped between its last rename and its end.
        let parts = out.join("parts");
        assert!(!parts.exists() || names(&parts).len() == 300, "torn by kill {i}");
    }
    std::fs::remove_dir_all(out.join("parts")).unwrap_or_default();
    let output = ended(room.command(&copy, "64MiB").spawn().unwrap());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!((names(&out), names(&out.join("parts")).len()), (vec!["parts".to_string()], 300));
    assert_eq!(names(&room.path("scratch")), Vec::<String>::new());
}

#[test]
fn an_interrupted_query_says_so_and_leaves_nothing() {
    let room = Room::new();
    let time = undisturbed(&room);
    let mut interrupted = 0;
    for (i, name) in ["-INT", "-TERM"].iter().cycle().take(8).enumerate() {
        let child = room.writing().spawn().unwrap();
        std::thread::sleep(time * (i as u32 + 1) / 10);
        signal(&child, name);
        let output = ended(child);
        match output.status.code() {
            Some(0) => {}
            // A signal before the command listens ends it the system's way.
            None if i < 2 => {}
            code => {
                assert_eq!(code, Some(130), "{}", said(&output));
                interrupted += 1;
            }
        }
        room.whole_output_or_none(&format!("after signal {i}"));
    }
    assert!(interrupted > 0, "no signal came in time");
}

#[test]
fn full_scratch_is_an_error_with_sizes() {
    let room = Room::new();
    let output = ended(room.writing().args(["--scratch-limit", "2MiB"]).spawn().unwrap());
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("MiB") && said(&output).contains("scratch"), "{}", said(&output));
    room.nothing_is_left("after scratch was full");
}

#[test]
fn a_budget_below_the_floor_is_refused_with_the_floor() {
    let room = Room::new();
    let output = ended(room.command(SPILLING, "1MiB").spawn().unwrap());
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(output.stdout.is_empty());
    assert!(said(&output).contains("MiB") && said(&output).contains("at least"), "{}", said(&output));
    room.nothing_is_left("after a refusal");
}

/// Code 0 and the whole output, or code 130 and none: also where the signal comes when the output takes its name.
#[test]
fn the_code_of_an_interrupted_copy_says_whether_the_output_is_there() {
    let room = Room::new();
    let out = room.path("out/o.csv");
    let sql = format!("COPY (SELECT id, num FROM t) TO '{}'", out.display());
    let begun = Instant::now();
    let output = ended(room.command(&sql, "64MiB").spawn().unwrap());
    assert!(output.status.success(), "{}", said(&output));
    let (time, mut codes) = (begun.elapsed(), Vec::new());
    let size = std::fs::metadata(&out).unwrap().len();
    for i in 0..8_u32 {
        std::fs::remove_file(&out).unwrap_or_default();
        let child = room.command(&sql, "64MiB").spawn().unwrap();
        match i % 2 {
            0 => std::thread::sleep(time * (4 + i) / 10),
            // The moment at which the name is there.
            _ => {
                let waits = Instant::now();
                while !out.exists() && waits.elapsed() < Duration::from_secs(30) {
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        }
        signal(&child, "-INT");
        let output = ended(child);
        match output.status.code() {
            Some(0) => assert_eq!(std::fs::metadata(&out).unwrap().len(), size, "{i}: not the whole output"),
            Some(130) => assert!(!out.exists(), "{i}: interrupted, and yet there is an output"),
            code => panic!("{i}: {code:?} {}", said(&output)),
        }
        codes.push(output.status.code());
    }
    assert!(codes.contains(&Some(0)), "{codes:?}");
    std::fs::remove_file(&out).unwrap_or_default();
    room.nothing_is_left("after interrupted copies");
}
