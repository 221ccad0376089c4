//! The table of real memory: every operator over generated input, at 64 MiB, 256 MiB and without a limit.
//!
//! `cargo bench --bench memory_table [-- SIZE] [--only NAME] [--file CSV] [--write]`
//!
//! Each query runs in a child process to which the system maps no more private memory than the budget and 32 MiB; its
//! anonymous and shared memory is sampled every millisecond. All answers must be the same, no run may have more than its
//! budget, and none may fail where one with less memory did not. Without SIZE the input has 1 GiB. `--write` puts the table
//! into docs/memory.md.

use partita::parse_size;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "../tests/memory/child.rs"]
mod child;
#[path = "../tests/memory/input.rs"]
mod input;
#[path = "../tests/memory/rows.rs"]
mod rows;

use child::{Run, Setting};

const MIB: f64 = (1 << 20) as f64;
/// `--memory`, and the bytes that it means.
const BUDGETS: &[(Option<&str>, u64)] = &[(Some("64MiB"), 64 << 20), (Some("256MiB"), 256 << 20), (None, u64::MAX)];
/// What the system maps beyond the budget at most: code, stacks, what the allocator keeps.
const BEYOND: u64 = 32 << 20;
/// The lines of docs/memory.md between which the table stands.
const MARKS: [&str; 2] = ["<!-- table of real memory -->\n", "<!-- end of the table -->\n"];

struct Options {
    bytes: u64,
    only: Option<String>,
    file: Option<PathBuf>,
    write: bool,
}

impl Options {
    fn of(arguments: impl Iterator<Item = String>) -> Options {
        let mut options = Options { bytes: 1 << 30, only: None, file: None, write: false };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // What `cargo bench` adds.
                "--bench" => {}
                "--write" => options.write = true,
                "--only" => options.only = arguments.next(),
                "--file" => options.file = arguments.next().map(PathBuf::from),
                size => options.bytes = parse_size(size).unwrap_or_else(|e| panic!("{e}")) as u64,
            }
        }
        options
    }
}

/// The runs of one query, and what is wrong with them.
fn measure(row: &rows::Row, file: &Path, scratch: &Path, wrong: &mut Vec<String>) -> Vec<Run> {
    let outputs = tempfile::tempdir().expect("a directory for outputs");
    let sql = row.sql.replace("{dir}", &outputs.path().to_string_lossy());
    let mut runs: Vec<Run> = Vec::new();
    for (memory, most) in BUDGETS {
        let data_limit = memory.map(|_| most + BEYOND);
        let run = child::run(&Setting { file, scratch, memory: *memory, data_limit }, &sql);
        let budget = memory.unwrap_or("the default");
        let mut say = |what: String| wrong.push(format!("{} at {budget}: {what}", row.name));
        if run.peak > *most {
            say(format!("{:.1} MiB of its own memory", run.peak as f64 / MIB));
        }
        let known = runs.iter().find_map(|run| run.answer.as_ref().ok());
        match &run.answer {
            // Where less memory sufficed, more does.
            Err(error) => say(error.trim().into()),
            Ok(answer) if known.is_some_and(|known| known != answer) => say(format!("another answer: {answer}")),
            Ok(_) => {}
        }
        runs.push(run);
    }
    runs
}

fn line(row: &rows::Row, runs: &[Run]) -> String {
    let mut line = format!("| {} |", row.name);
    for run in runs {
        let shown = match &run.answer {
            Ok(_) => format!(" {:.0} MiB, {:.1} s |", run.peak as f64 / MIB, run.time.as_secs_f64()),
            Err(_) => " failed |".into(),
        };
        line.push_str(&shown);
    }
    line.push('\n');
    line
}

fn write(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/memory.md");
    let text = std::fs::read_to_string(&path).expect("docs/memory.md");
    let (before, rest) = text.split_once(MARKS[0]).expect("the beginning of the table");
    let (_, after) = rest.split_once(MARKS[1]).expect("the end of the table");
    std::fs::write(&path, format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1])).expect("docs/memory.md");
}

fn main() -> ExitCode {
    let options = Options::of(std::env::args().skip(1));
    let dir = tempfile::tempdir().expect("a directory");
    let file = options.file.clone().unwrap_or_else(|| {
        let file = dir.path().join("t.csv");
        input::generate(&file, options.bytes);
        file
    });
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).expect("a directory for scratch");
    let bytes = std::fs::metadata(&file).expect("the input").len();
    let mut table = format!("{:.0} MiB of CSV, two threads:\n\n", bytes as f64 / MIB);
    table.push_str("| query | at 64 MiB | at 256 MiB | without a limit |\n|---|---|---|---|\n");
    print!("{table}");
    let mut wrong = Vec::new();
    for row in rows::rows() {
        if options.only.as_ref().is_some_and(|only| *only != row.name) {
            continue;
        }
        let runs = measure(&row, &file, &scratch, &mut wrong);
        let line = line(&row, &runs);
        print!("{line}");
        let _ = write!(table, "{line}");
    }
    if std::fs::read_dir(&scratch).expect("scratch").next().is_some() {
        wrong.push("something is left in scratch".into());
    }
    wrong.iter().for_each(|what| eprintln!("wrong: {what}"));
    if options.write {
        write(&table);
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
