//! Stories of real runs replay: what the command recorded is what the scheduler, fed the same signals, chooses again.
//!
//! `PARTITA_STORY=FILE cargo test --test story` replays one more file, written by `partita --story FILE`.
#![cfg(unix)]

use partita::sched::story::replay;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const SPILLING: &str = "SELECT count(*), sum(n) FROM (SELECT id, text, count(*) AS n FROM t GROUP BY id, text)";

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::from("id,text\n");
        for row in 0..800_000_u64 {
            let x = row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            writeln!(text, "{},text {x:020} {:020}", x >> 20, x ^ (x >> 13)).unwrap();
        }
        std::fs::write(dir.path().join("t.csv"), text).unwrap();
        Room { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command.arg("-t").arg(format!("t={}", self.path("t.csv").display()));
        command.arg("--scratch").arg(self.dir.path()).arg("--story").arg(self.path("story"));
        command.args(["--threads", "2", "--memory", "32MiB", "-c", SPILLING]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The story, which replays.
    fn story(&self, output: &Output) -> String {
        let story = std::fs::read_to_string(self.path("story")).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        replay(&story).unwrap_or_else(|e| panic!("{e}\n{said}"));
        assert!(story.contains("> submit q0") && story.contains("< finish q0"), "{said}\n{story}");
        story
    }
}

#[test]
fn a_query_that_spills() {
    let room = Room::new();
    let output = room.command().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let story = room.story(&output);
    assert!(story.contains("\n> starved "), "memory should have been short");
}

#[test]
fn a_query_that_is_cancelled() {
    let room = Room::new();
    let mut child = room.command().spawn().unwrap();
    // The query is running when the first task has started.
    while !std::fs::read_to_string(room.path("story")).unwrap_or_default().contains("< start q0") {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).stderr(Stdio::null()).status();
    let output = child.wait_with_output().unwrap();
    let story = room.story(&output);
    // It may have been faster.
    assert!(output.status.success() || story.contains("> cancel q0"), "{story}");
}

#[test]
fn a_query_whose_scratch_is_full() {
    let room = Room::new();
    let output = room.command().args(["--scratch-limit", "2MiB"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let story = room.story(&output);
    // A write for a task of its own fails the task; one that gives memory back for another cancels the query.
    let failed = story.contains("> failed q0") || story.contains("> cancel q0");
    assert!(failed && story.contains("< abort q0"), "{story}");
}

#[test]
fn a_story_from_elsewhere() {
    match std::env::var_os("PARTITA_STORY") {
        None => eprintln!("skipped: PARTITA_STORY names no file"),
        Some(path) => {
            let story = std::fs::read_to_string(path).unwrap();
            replay(&story).unwrap_or_else(|e| panic!("{e}"));
            eprintln!("{} lines replayed", story.lines().count());
        }
    }
}
