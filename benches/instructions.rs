//! Instructions a row of the machinery in memory, counted by callgrind: the same in every run, whatever else the machine
//! does. What is the same for any number of rows (planning, starting) is taken out: a query of twice the rows is counted too.
//!
//! `cargo bench --bench instructions [-- --save FILE | --against FILE]`: with `--against`, more than 3 % above the counts
//! in the file is a failure; `benches/instructions.txt` has those of the last release build. Needs `valgrind`.

use partita::Session;
use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

/// A query over `{n}` rows.
const QUERIES: &[(&str, &str)] = &[
    ("scan", "SELECT count(*), sum(range) FROM range({n})"),
    ("filter", "SELECT count(*), sum(range) FROM range({n}) WHERE range % 3 = 1"),
    ("few groups", "SELECT range % 10 AS k, sum(range), count(*) FROM range({n}) GROUP BY k"),
    ("many groups", "SELECT count(*) FROM (SELECT range % ({n} // 4) AS k, sum(range) FROM range({n}) GROUP BY k)"),
    ("join", "SELECT count(*), sum(a.range) FROM range({n}) AS a JOIN range({n}) AS b ON a.range = b.range + 1"),
    (
        "sort",
        "SELECT count(*), sum(k) FROM (SELECT range * 7919 % {n} AS k FROM range({n}) ORDER BY k LIMIT 1000000000)",
    ),
    ("top-k", "SELECT range * 7919 % {n} AS k FROM range({n}) ORDER BY k LIMIT 10"),
    (
        "window",
        "SELECT sum(r) FROM (SELECT row_number() OVER (PARTITION BY range % 100 ORDER BY range) AS r FROM range({n}))",
    ),
];

/// Rows of the smaller query.
const ROWS: u64 = 100_000;
/// By how much a count may grow.
const MOST: f64 = 1.03;

/// What callgrind runs: one query, on the thread that asks.
fn answer(name: &str, rows: &str) -> partita::Result<()> {
    let (_, sql) = QUERIES.iter().find(|(known, _)| *known == name).copied().unwrap_or_default();
    let session = Session::builder().memory("1GiB")?.threads(1).inline(true).build()?;
    session.execute(&sql.replace("{n}", rows))
}

/// Instructions of the query over `rows` rows.
fn count(name: &str, rows: u64) -> Option<u64> {
    let me = std::env::current_exe().ok()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(me);
    let output = valgrind.args(["--answer", name, &rows.to_string()]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected =
        said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim().to_string());
    collected?.parse().ok()
}

fn read(path: &str) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pair =
        |line: &str| line.rsplit_once(' ').and_then(|(name, count)| Some((name.to_string(), count.parse().ok()?)));
    text.lines().filter_map(pair).collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--answer", name, rows] = arguments[..] {
        return answer(name, rows).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let before = if let ["--against", path] = arguments[..] { read(path) } else { BTreeMap::new() };
    let (mut counted, mut grown) = (String::new(), false);
    println!("{:<14}{:>22}{:>10}", "query", "instructions a row", "before");
    for (name, _) in QUERIES {
        let Some((once, twice)) = count(name, ROWS).zip(count(name, 2 * ROWS)) else {
            eprintln!("{name} was not counted: is valgrind there?");
            return ExitCode::FAILURE;
        };
        let each = twice.saturating_sub(once) as f64 / ROWS as f64;
        let was = before.get(*name).copied();
        println!("{name:<14}{each:>22.1}{:>10}", was.map_or("-".into(), |was| format!("{was:.1}")));
        grown |= was.is_some_and(|was| each > was * MOST);
        counted.push_str(&format!("{name} {each:.1}\n"));
    }
    if let ["--save", path] = arguments[..]
        && let Err(error) = std::fs::write(path, counted)
    {
        eprintln!("{path}: {error}");
        return ExitCode::FAILURE;
    }
    if grown { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
