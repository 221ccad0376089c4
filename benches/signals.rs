//! How soon the command ends after Ctrl-C: at many moments of queries that spill, and of some that do not.
//!
//! `cargo bench --bench signals [-- SIZE] [--moments N]`: SIZE of generated CSV (256 MiB); N moments a query (20). Prints the
//! median and the longest time from the signal to the end of the process, its memory and scratch gone with it.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

#[path = "../tests/memory/input.rs"]
mod input;

/// A query, and the memory it has.
const QUERIES: &[(&str, &str, &str)] = &[
    ("groups, 64 MiB", "64MiB", "SELECT count(*) FROM (SELECT id, text, count(*) AS n FROM t GROUP BY id, text)"),
    ("groups, all", "16GiB", "SELECT count(*) FROM (SELECT id, text, count(*) AS n FROM t GROUP BY id, text)"),
    ("sort, 64 MiB", "64MiB", "SELECT count(*) FROM (SELECT * FROM t ORDER BY text LIMIT 1000000000)"),
    ("sort, all", "16GiB", "SELECT count(*) FROM (SELECT * FROM t ORDER BY text LIMIT 1000000000)"),
    ("join, 64 MiB", "64MiB", "SELECT count(*), max(a.text) FROM t AS a JOIN t AS b ON a.id = b.other"),
    ("join, all", "16GiB", "SELECT count(*), max(a.text) FROM t AS a JOIN t AS b ON a.id = b.other"),
    ("window, 64 MiB", "64MiB", "SELECT sum(r) FROM (SELECT rank() OVER (PARTITION BY num ORDER BY text) AS r FROM t)"),
    (
        "lists, 64 MiB",
        "64MiB",
        "SELECT max(len(l)) FROM (SELECT num, array_agg(text ORDER BY id) AS l FROM t GROUP BY num)",
    ),
    ("sort to Parquet", "64MiB", "COPY (SELECT * FROM t ORDER BY text) TO '{dir}/o.parquet'"),
    ("partitions", "64MiB", "COPY (SELECT *, num % 2000 AS k FROM t) TO '{dir}/parts' (FORMAT csv, PARTITION_BY (k))"),
];

fn start(file: &Path, scratch: &Path, memory: &str, sql: &str) -> Child {
    let binary = std::env::var_os("PARTITA").unwrap_or_else(|| env!("CARGO_BIN_EXE_partita").into());
    let mut command = Command::new(binary);
    command.arg("-t").arg(format!("t={}", file.display())).arg("--scratch").arg(scratch);
    command.args(["--threads", "2", "--memory", memory, "-csv", "-c", sql]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command")
}

fn signal(child: &Child, name: &str) {
    let _ = Command::new("kill").args([name, &child.id().to_string()]).stderr(Stdio::null()).status();
}

fn main() -> ExitCode {
    let (mut bytes, mut moments) = (256 << 20, 20u32);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--moments" => moments = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(moments),
            size => bytes = partita::parse_size(size).map_or(bytes, |bytes| bytes as u64),
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (file, scratch, out) = (dir.path().join("t.csv"), dir.path().join("scratch"), dir.path().join("out"));
    input::generate(&file, bytes);
    for made in [&scratch, &out] {
        std::fs::create_dir(made).expect("a directory");
    }
    let mut left = false;
    println!("{:<18}{:>10}{:>12}{:>12}{:>8}", "query", "takes s", "median ms", "longest ms", "codes");
    for (name, memory, sql) in QUERIES {
        let sql = sql.replace("{dir}", &out.to_string_lossy());
        let begun = Instant::now();
        let _ = start(&file, &scratch, memory, &sql).wait();
        let takes = begun.elapsed();
        let (mut times, mut ended) = (Vec::new(), 0);
        for moment in 0..moments {
            for made in std::fs::read_dir(&out).expect("outputs").flatten() {
                let _ = std::fs::remove_file(made.path()).or_else(|_| std::fs::remove_dir_all(made.path()));
            }
            let mut child = start(&file, &scratch, memory, &sql);
            // All over the run, in no order; not before the command listens.
            std::thread::sleep(Duration::from_millis(30) + takes * (moment * 7 % moments) / moments);
            let begun = Instant::now();
            signal(&child, if moment.is_multiple_of(2) { "-INT" } else { "-TERM" });
            let status = child.wait().expect("the command");
            if status.code() == Some(130) {
                times.push(begun.elapsed());
                ended += 1;
                let names: Vec<_> =
                    [&out, &scratch].iter().flat_map(|d| std::fs::read_dir(d).expect("it")).flatten().collect();
                left |= !names.is_empty();
                names.iter().for_each(|name| eprintln!("{} is left", name.path().display()));
            }
        }
        times.sort();
        let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let (median, longest) = (millis(times.get(times.len() / 2)), millis(times.last()));
        println!("{name:<18}{:>10.2}{median:>12.1}{longest:>12.1}{ended:>8}", takes.as_secs_f64());
    }
    if left { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
