//! TPC-H: queries whose answers two other engines agree on, from Parquet and CSV, roomy and at 64 MiB.
//!
//! The data is what `tpchgen-cli` writes: `PARTITA_TPCH=/data/tpch` names the directory of `tpchgen-cli parquet -s 0.1`,
//! and the one beside it with `csv` at its end (`/data/tpchcsv`) that of `tpchgen-cli csv -s 0.1`. Queries and answers are in the testdata of the project (`PARTITA_TPCH_ANSWERS`). Where either is
//! absent, the test says so and passes.

use std::path::{Path, PathBuf};
use std::process::Command;

const QUERIES: std::ops::RangeInclusive<u32> = 1..=22;
const TABLES: &[&str] = &["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

fn directory(variable: &str, otherwise: Option<&str>) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = named.or_else(|| otherwise.map(|path| root.join(path))).filter(|dir| dir.is_dir());
    if dir.is_none() {
        eprintln!("skipped: {variable} names no directory");
    }
    dir
}

/// The answer as rows of texts, or what the command said.
fn ask(dir: &Path, ending: &str, memory: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    let dir = if ending == "csv" { format!("{}csv", dir.display()) } else { dir.display().to_string() };
    for table in TABLES {
        command.arg("-t").arg(format!("{table}={dir}/{table}.{ending}"));
    }
    let output = command.args(["--threads", "2", "--memory", memory, "-csv", "-c", sql]).output().unwrap();
    match output.status.success() {
        true => Ok(records(&output.stdout)),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn records(text: &[u8]) -> Vec<Vec<String>> {
    let records = csv::ReaderBuilder::new().flexible(true).from_reader(text).into_records();
    records.map(|record| record.unwrap().iter().map(str::to_string).collect()).collect()
}

/// Equal, but for the rounding of floats.
fn same(expected: &str, found: &str) -> bool {
    match (expected.parse::<f64>(), found.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 + 1e-6 * a.abs().max(b.abs()),
        _ => expected == found,
    }
}

fn difference(expected: &[Vec<String>], found: &[Vec<String>]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} rows instead of {}", found.len(), expected.len()));
    }
    let same_row =
        |(a, b): &(&Vec<String>, &Vec<String>)| a.len() == b.len() && a.iter().zip(*b).all(|(a, b)| same(a, b));
    let at = expected.iter().zip(found).position(|pair| !same_row(&pair))?;
    Some(format!("row {at} is {:?} instead of {:?}", found[at], expected[at]))
}

#[test]
fn answers_agree_with_other_engines() {
    let answers = directory("PARTITA_TPCH_ANSWERS", Some("../shared/testdata/bench/tpch"));
    let (Some(answers), Some(data)) = (answers, directory("PARTITA_TPCH", None)) else { return };
    let mut failed = Vec::new();
    for query in QUERIES {
        let sql = std::fs::read_to_string(answers.join(format!("queries/q{query:02}.sql"))).unwrap();
        let expected = records(&std::fs::read(answers.join(format!("answers_tpchgen_sf0.1/q{query:02}.csv"))).unwrap());
        for ending in ["parquet", "csv"] {
            for memory in ["2GiB", "64MiB"] {
                let case = format!("query {query} from {ending} with {memory}");
                match ask(&data, ending, memory, &sql) {
                    Ok(found) => failed.extend(difference(&expected, &found).map(|wrong| format!("{case}: {wrong}"))),
                    Err(error) => failed.push(format!("{case}: {error}")),
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
