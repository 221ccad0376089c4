//! The budget is real: anonymous memory of the command, sampled every millisecond while it runs, stays within `--memory`.
//!
//! Each row of [`ROWS`] is one query over generated CSV, run with each budget of [`BUDGETS`]; all answers must be the same.
//! `cargo test --release --test memory -- --ignored` does the same with 1 GiB, or with the file that `MEMORY_FILE` names
//! (CSV with the columns of [`generate`]). Linux only: elsewhere the budget holds by account.
#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Statements over the table `t`, in a directory `{dir}` for outputs.
struct Row {
    name: &'static str,
    /// The only row of the answer is the same whatever the budget; an answer with floats is rounded.
    sql: &'static str,
}

const fn row(name: &'static str, sql: &'static str) -> Row {
    Row { name, sql }
}

const ROWS: &[Row] = &[
    row("count", "SELECT count(*), count(text) FROM t"),
    row(
        "few groups",
        "SELECT sum(n), min(m), max(s) FROM (SELECT small, count(*) AS n, min(num) AS m, sum(num) AS s FROM t GROUP BY small)",
    ),
    row(
        "many groups",
        "SELECT count(*), sum(n), max(s) FROM (SELECT id, count(*) AS n, sum(num) AS s FROM t GROUP BY id)",
    ),
    row("wide text keys", "SELECT count(*), sum(n) FROM (SELECT text, count(*) AS n FROM t GROUP BY text)"),
    row("distinct", "SELECT count(*), sum(num) FROM (SELECT DISTINCT num, small FROM t)"),
    row("sort", "SELECT count(*), sum(id) FROM (SELECT id, text FROM t ORDER BY text, id LIMIT 1000000000)"),
    row(
        "sort to Parquet",
        "COPY (SELECT * FROM t ORDER BY text, id) TO '{dir}/sorted.parquet'; SELECT count(*), sum(id) FROM '{dir}/sorted.parquet'",
    ),
    row(
        "sort to CSV",
        "COPY (SELECT * FROM t ORDER BY num, id) TO '{dir}/sorted.csv'; SELECT count(*), sum(id) FROM '{dir}/sorted.csv'",
    ),
    row(
        "partitions",
        "COPY (SELECT *, num % 5000 AS k FROM t) TO '{dir}/parts' (FORMAT parquet, PARTITION_BY (k), OVERWRITE); \
         SELECT count(*), sum(id), sum(k) FROM '{dir}/parts/*/*.parquet'",
    ),
    row("top-k", "SELECT count(*), sum(id) FROM (SELECT id FROM t ORDER BY num DESC, id LIMIT 10000)"),
    row("wide top-k", "SELECT count(*), sum(id), max(text) FROM (SELECT * FROM t ORDER BY num DESC, id LIMIT 100000)"),
    row(
        "window of all",
        "SELECT count(*), sum(r), sum(n), sum(s), max(c) FROM (SELECT rank() OVER (ORDER BY num) AS r, \
         ntile(10) OVER (ORDER BY num, id) AS n, count(*) OVER () AS c, \
         sum(id) OVER (ORDER BY num, id ROWS BETWEEN 1000 PRECEDING AND 10 FOLLOWING) AS s FROM t)",
    ),
    row(
        "windows of many",
        "SELECT count(*), sum(r), sum(m), sum(l) FROM (SELECT row_number() OVER (PARTITION BY num ORDER BY id) AS r, \
         max(other) OVER (PARTITION BY num) AS m, lag(id) OVER (PARTITION BY num ORDER BY id) AS l FROM t)",
    ),
    row(
        "texts and lists",
        "SELECT count(*), sum(length(s)), sum(len(l)), sum(f) FROM (SELECT num, string_agg(text, ',') AS s, array_agg(id) AS l, \
            first(id ORDER BY other) AS f FROM t GROUP BY num)",
    ),
    row(
        "modes",
        "SELECT count(*), sum(m), sum(d) FROM (SELECT small, mode(num) AS m, count(DISTINCT other) AS d FROM t GROUP BY small)",
    ),
    row("cube", "SELECT count(*), sum(n) FROM (SELECT num, small, count(*) AS n FROM t GROUP BY CUBE (num, small))"),
    row("join", "SELECT count(*), sum(a.num) FROM t AS a JOIN t AS b ON a.id = b.other"),
];

/// A sort of a hundred columns of some of the rows.
fn wide() -> Row {
    let columns: Vec<String> = (0..98).map(|i| format!("num + {i} AS c{i}")).collect();
    let sum: Vec<String> = (0..98).map(|i| format!("c{i}")).collect();
    let (columns, sum) = (columns.join(", "), sum.join(" + "));
    let sql = format!(
        "SELECT count(*), sum(id), sum({sum}) FROM (SELECT id, text, {columns} FROM t WHERE small < 2 ORDER BY text LIMIT 1000000000)"
    );
    row("100 columns", sql.leak())
}

/// `--memory`, and the most bytes that it means; `None` is the default.
const BUDGETS: &[(Option<&str>, u64)] = &[(Some("64MiB"), 64 << 20), (Some("256MiB"), 256 << 20), (None, u64::MAX)];

/// CSV: `id` and `other` (each a permutation of the rows), `num`, `small`, `text` of about 60 bytes, mostly different.
fn generate(path: &Path, bytes: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(path).unwrap());
    let (mut written, mut line) = (0, String::from("id,other,num,small,text\n"));
    let mut x = 0x9E37_79B9_7F4A_7C15_u64;
    let rows = bytes / 90;
    // Odd, and no prime of the number of rows rounded up to a power of two: a permutation of them.
    let all = rows.next_power_of_two();
    for row in 0..all {
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        if written >= bytes {
            break;
        }
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        line.clear();
        let (id, other) = (row.wrapping_mul(0x9E37_79B1) % all, row.wrapping_mul(0x85EB_CA6B) % all);
        writeln!(line, "{id},{other},{},{},some text of row {x:020} and {:020} again", x % 100_000, x % 17, x >> 20)
            .unwrap();
    }
    file.flush().unwrap();
}

/// The answer, or what the command said, and the most anonymous memory that it was seen to have.
fn run(path: &Path, scratch: &Path, sql: &str, memory: Option<&str>) -> (Result<String, String>, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.arg("-t").arg(format!("t={}", path.display())).arg("--scratch").arg(scratch);
    command.args(["--threads", "2", "-csv", "--no-header", "-c", sql]);
    command.args(memory.iter().flat_map(|size| ["--memory", size]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(anonymous(&child));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    // What is printed is small: it never fills the pipes.
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (if status.success() { Ok(out) } else { Err(err) }, peak)
}

/// `RssAnon` of the child, in bytes; 0 when it has gone.
fn anonymous(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn check(path: &Path, scratch: &Path) {
    let mut table = format!("{:<16}{:>10}{:>12}  answer\n", "query", "budget", "peak MiB");
    let mut failed = Vec::new();
    let outputs = tempfile::tempdir().unwrap();
    for Row { name, sql } in ROWS.iter().chain([&wide()]) {
        let sql = sql.replace("{dir}", &outputs.path().to_string_lossy());
        let mut first: Option<String> = None;
        for (memory, most) in BUDGETS {
            let budget = memory.unwrap_or("default");
            let (answer, peak) = run(path, scratch, &sql, *memory);
            let shown =
                answer.as_ref().map_or_else(|e| e.lines().next().unwrap_or("").to_string(), |a| a.trim().into());
            writeln!(table, "{name:<16}{budget:>10}{:>12.1}  {shown}", peak as f64 / (1 << 20) as f64).unwrap();
            match answer {
                Err(error) => failed.push(format!("{name} with {budget}: {error}")),
                Ok(answer) => {
                    if *first.get_or_insert(answer.clone()) != answer {
                        failed.push(format!("{name} with {budget}: another answer"));
                    }
                }
            }
            if peak > *most {
                failed.push(format!("{name} with {budget}: {peak} bytes of anonymous memory"));
            }
        }
    }
    eprintln!("{table}");
    assert!(failed.is_empty(), "{}\n{table}", failed.join("\n"));
}

fn generated(bytes: u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    generate(&path, bytes);
    check(&path, dir.path());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left in scratch");
}

#[test]
fn memory_stays_within_the_budget() {
    generated(128 << 20);
}

#[test]
#[ignore = "large: --release -- --ignored"]
fn memory_stays_within_the_budget_at_size() {
    match std::env::var("MEMORY_FILE") {
        Ok(path) => check(Path::new(&path), tempfile::tempdir().unwrap().path()),
        Err(_) => generated(1 << 30),
    }
}
