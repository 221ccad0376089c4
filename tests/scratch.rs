//! Scratch that breaks under the command: full, read-only, gone, in memory, without descriptors. The answer is right or the
//! error says what, where and what to do, with the exit code of docs/cli.md; nothing is left.
//!
//! Real file systems are mounted in a mount namespace of the child's own, where the system allows that; elsewhere those
//! tests say that they were left out.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An input that spills under a small budget, and a place for scratch and outputs.
struct Place {
    dir: tempfile::TempDir,
}

const SPILLING: &str = "SELECT count(*), sum(n) FROM (SELECT id, text, count(*) AS n FROM t GROUP BY id, text)";
const ANSWER: &str = "400000,400000\n";

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let mut text = String::from("id,num,text\n");
        for row in 0..400_000_u64 {
            let x = row.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            writeln!(text, "{},{},text {x:020} {:020}", x >> 20, x % 1000, x ^ (x >> 13)).unwrap();
        }
        std::fs::write(dir.path().join("t.csv"), text).unwrap();
        for name in ["scratch", "out", "other"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Place { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command after what `shell` does before it; `$SCRATCH` is the directory.
    fn run(&self, shell: &str, namespace: &[&str], arguments: &[&str]) -> Output {
        let (program, first) = namespace.split_first().map_or(("sh", &[][..]), |(program, rest)| (*program, rest));
        let mut command = Command::new(program);
        command.args(first);
        if !namespace.is_empty() {
            command.arg("sh");
        }
        command.args(["-c", &format!("{shell}\nexec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_partita")]);
        command.env("SCRATCH", self.path("scratch"));
        command.arg("-t").arg(format!("t={}", self.path("t.csv").display())).arg("--scratch").arg(self.path("scratch"));
        command.args(["--threads", "2", "--memory", "32MiB", "-csv", "--no-header"]).args(arguments);
        command.output().unwrap()
    }

    fn nothing_is_left(&self) {
        for name in ["scratch", "out"] {
            assert_eq!(std::fs::read_dir(self.path(name)).unwrap().count(), 0, "{name}");
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answer(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// How a child gets a mount namespace of its own; `None`, with a message, where it does not.
fn namespace() -> Option<&'static [&'static str]> {
    const WAYS: &[&[&str]] = &[&["unshare", "-m"], &["unshare", "-Urm"]];
    let mounts = |way: &&&[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=1m none '{}'", dir.path().display());
        let tried = Command::new(way[0]).args(&way[1..]).args(["sh", "-c", &mount]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = WAYS.iter().find(mounts).copied();
    if found.is_none() {
        eprintln!("left out: nothing can be mounted here");
    }
    found
}

#[test]
fn a_full_disk_is_told_with_sizes() {
    let Some(namespace) = namespace() else { return };
    let place = Place::new();
    let mount = "mount -t tmpfs -o size=6m none \"$SCRATCH\" || exit 77";
    let out = place.path("out/o.csv").display().to_string();
    for arguments in [
        // The disk is full before the limit is reached, and the other way round.
        vec!["-c", SPILLING, "--scratch-limit", "1GiB"],
        vec!["-c", SPILLING],
        vec!["-c", "SELECT * FROM t ORDER BY text", "-o", &out, "--scratch-limit", "1GiB"],
    ] {
        let output = place.run(mount, namespace, &arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {said}");
        assert!(said.contains("full") && said.contains("MiB") && said.contains("--scratch"), "{said}");
        // What was spilled took memory: that is said, too.
        assert!(said.contains("warning") && said.contains("tmpfs"), "{said}");
        assert_eq!(answer(&output), "");
        place.nothing_is_left();
    }
}

#[test]
fn a_file_system_in_memory_is_warned_of_where_it_was_used() {
    let Some(namespace) = namespace() else { return };
    let place = Place::new();
    let mount = "mount -t tmpfs -o size=200m none \"$SCRATCH\" || exit 77";
    let output = place.run(mount, namespace, &["-c", SPILLING]);
    assert_eq!((output.status.code(), answer(&output).as_str()), (Some(0), ANSWER), "{}", said(&output));
    assert!(said(&output).contains("is in memory (tmpfs)"), "{}", said(&output));
    let output = place.run(mount, namespace, &["-c", "SELECT count(*) FROM t"]);
    assert_eq!(said(&output), "", "nothing was spilled");
}

#[test]
fn a_directory_that_cannot_be_written_is_told_at_once() {
    let place = Place::new();
    let missing = place.path("missing").display().to_string();
    let output = place.run("", &[], &["-c", SPILLING, "--scratch", &missing]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&missing) && said(&output).contains("point --scratch"), "{}", said(&output));
    let Some(namespace) = namespace() else { return };
    let output = place.run("mount -t tmpfs -o ro none \"$SCRATCH\" || exit 77", namespace, &["-c", SPILLING]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("Read-only") && said(&output).contains("point --scratch"), "{}", said(&output));
    assert_eq!(answer(&output), "");
}

/// With few descriptors the command answers, or says that there are too few; with a usual number it answers.
#[test]
fn too_few_descriptors_are_told() {
    let place = Place::new();
    let (mut answered, mut refused) = (0, 0);
    for limit in (4..40).step_by(3).chain([64]) {
        for sql in [SPILLING, "SELECT max(text) FROM (SELECT * FROM t ORDER BY text LIMIT 300000)"] {
            let output = place.run(&format!("ulimit -n {limit} || exit 77"), &[], &["-c", sql]);
            match output.status.code() {
                Some(0) => answered += 1,
                Some(4) => {
                    refused += 1;
                    let said = said(&output);
                    assert!(said.contains("open files") && said.contains("ulimit -n"), "{limit}: {said}");
                }
                // The loader of the system, or what it loads, had no descriptor.
                code if limit < 8 => eprintln!("{limit}: {code:?} {}", said(&output)),
                code => panic!("{limit}: {code:?}: {}", said(&output)),
            }
            assert!(output.status.code() == Some(0) || limit < 64, "{}", said(&output));
            place.nothing_is_left();
        }
    }
    assert!(answered > 1 && refused > 1, "{answered} answered, {refused} refused");
}

/// Files in scratch that are somebody else's stay as they are.
#[test]
fn what_others_left_in_scratch_is_never_touched() {
    let place = Place::new();
    let names = ["partita-1-2-3", ".tmpAbCdEf", ".out.partita-1-2-3", "spill.0"];
    for name in names {
        std::fs::write(place.path("scratch").join(name), name).unwrap();
    }
    std::fs::create_dir(place.path("scratch/.x.partita-9-9-9")).unwrap();
    for arguments in [vec!["-c", SPILLING], vec!["-c", SPILLING, "--scratch-limit", "1MiB"]] {
        place.run("", &[], &arguments);
        for name in names {
            assert_eq!(std::fs::read_to_string(place.path("scratch").join(name)).unwrap(), name);
        }
        assert_eq!(std::fs::read_dir(place.path("scratch")).unwrap().count(), names.len() + 1);
    }
}

/// Several directories are used in turn: each has its part, and the answer is the same.
#[test]
fn several_directories_are_used_in_turn() {
    let place = Place::new();
    let other = place.path("other").display().to_string();
    let output = place.run("", &[], &["-c", SPILLING, "--scratch", &other]);
    assert_eq!((output.status.code(), answer(&output).as_str()), (Some(0), ANSWER), "{}", said(&output));
    place.nothing_is_left();
    // One of them is too small: that is said by its name.
    let Some(namespace) = namespace() else { return };
    let mount = "mount -t tmpfs -o size=1m none \"$SCRATCH\" || exit 77";
    let output = place.run(mount, namespace, &["-c", SPILLING, "--scratch", &other, "--scratch-limit", "1GiB"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains(&*place.path("scratch").to_string_lossy()), "{}", said(&output));
    assert!(is_empty(Path::new(&other)));
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}
