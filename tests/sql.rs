//! The repository's own SQL scripts, a file a feature: testdata/sql/*.slt, in sqllogictest's format (see `sql/script.rs`).
//! Each runs with much and with little memory, on threads and inline, and must give the same answers.
//!
//! `UPDATE=1 cargo test --test sql` writes the answers that are found into the scripts: read the difference before you
//! commit it, and ask DuckDB, where it has the feature.

#[path = "sql/script.rs"]
mod script;

use partita::config::Tuning;
use partita::{Outcome, Session, cells};
use script::{Record, Script, Want};
use std::path::{Path, PathBuf};

/// How a session runs.
#[derive(Clone, Copy, Debug)]
struct Setting {
    memory: &'static str,
    inline: bool,
    /// Whether constants are so small that a few thousand rows spill.
    small: bool,
}

const SETTINGS: [Setting; 4] = [
    Setting { memory: "256MiB", inline: true, small: false },
    Setting { memory: "256MiB", inline: false, small: false },
    Setting { memory: "8MiB", inline: true, small: true },
    Setting { memory: "8MiB", inline: false, small: true },
];

fn session(setting: Setting) -> Session {
    let builder = Session::builder().memory(setting.memory).unwrap().threads(2).inline(setting.inline);
    let small = || Tuning {
        page_bytes: Some(4096),
        radix_bits: Some(2),
        preaggregate_slots: 64,
        batch_rows: 100,
        batch_bytes: 1 << 14,
        split_bytes: 1 << 14,
        merge_fan_in: 4,
        scratch_write_bytes: 4096,
        ..Tuning::default()
    };
    if setting.small { builder.tuning(small()) } else { builder }.build().unwrap()
}

/// The rows of the last statement of `sql`, values separated by tabs.
fn rows(session: &Session, sql: &str) -> partita::Result<Vec<Vec<String>>> {
    let mut found = Vec::new();
    for statement in session.statements(sql)? {
        found.clear();
        if let Outcome::Rows(batches) = session.run(&statement)? {
            for batch in batches {
                append(&batch?, &mut found)?;
            }
        }
    }
    Ok(found)
}

fn append(batch: &arrow::array::RecordBatch, rows: &mut Vec<Vec<String>>) -> partita::Result<()> {
    let columns = cells::Column::all(batch)?;
    let cell = |column: &cells::Column<'_>, row: usize| {
        let mut bytes = Vec::new();
        column.text(row, &mut bytes);
        match (column.is_null(row), bytes.is_empty()) {
            (true, _) => "NULL".to_string(),
            (false, true) => "(empty)".to_string(),
            _ => String::from_utf8_lossy(&bytes).replace('\n', "\\n").replace('\t', "\\t"),
        }
    };
    rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| cell(c, row)).collect()));
    Ok(())
}

/// What is wrong with a record; its answer, where it is a query.
fn check(session: &Session, record: &Record, directory: &str) -> Result<Vec<String>, String> {
    let answer = rows(session, &record.sql.replace("__DIR__", directory));
    match (&record.want, answer) {
        (Want::Ok, Ok(_)) => Ok(Vec::new()),
        (Want::Error(says), Err(error)) => {
            let said = format!("{error} {}", error.advice().unwrap_or_default());
            if said.contains(says.as_str()) { Ok(Vec::new()) } else { Err(format!("says: {said}")) }
        }
        (Want::Error(_), Ok(_)) => Err("succeeds".to_string()),
        (Want::Rows { columns, sort, .. }, Ok(rows)) => {
            if let Some(row) = rows.iter().find(|row| row.len() != *columns) {
                return Err(format!("{} columns", row.len()));
            }
            Ok(sort.put(rows))
        }
        (_, Err(error)) => Err(format!("{error} {}", error.advice().unwrap_or_default())),
    }
}

/// Runs a script; says what differs, and writes what was found, if that is asked for.
fn run(path: &Path, setting: Setting, update: bool) -> Vec<String> {
    let mut script = Script::read(path);
    let session = session(setting);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().display().to_string();
    let mut wrong = Vec::new();
    for record in &mut script.records {
        let place = format!("{}:{} {setting:?}\n{}", path.display(), record.line, record.sql);
        match check(&session, record, &directory) {
            Err(says) => wrong.push(format!("{place}\n  {says}")),
            Ok(found) => {
                let Want::Rows { expected, .. } = &mut record.want else { continue };
                if found != *expected && update {
                    *expected = found;
                } else if found != *expected {
                    wrong.push(format!("{place}\n  expected {expected:#?}\n  found {found:#?}"));
                }
            }
        }
    }
    if update {
        std::fs::write(path, script.text()).unwrap();
    }
    wrong
}

fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/sql");
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "slt"));
    found.sort();
    found
}

#[test]
fn scripts_give_their_answers_in_every_setting() {
    let only = std::env::var("SCRIPT").unwrap_or_default();
    let scripts: Vec<PathBuf> = scripts().into_iter().filter(|p| p.to_string_lossy().contains(&only)).collect();
    assert!(only.is_empty() && scripts.len() >= 12 || !only.is_empty(), "scripts are lost");
    if std::env::var_os("UPDATE").is_some() {
        let [first, ..] = SETTINGS;
        scripts.iter().for_each(|script| drop(run(script, first, true)));
    }
    let wrong: Vec<String> =
        scripts.iter().flat_map(|script| SETTINGS.map(|s| run(script, s, false))).flatten().collect();
    assert!(wrong.is_empty(), "{} answers differ\n{}", wrong.len(), wrong.join("\n\n"));
}

/// What the runner itself must notice.
#[test]
fn wrong_scripts_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.slt");
    for (text, wrong) in [
        ("query I\nSELECT 1\n----\n1\n", 0),
        ("query I\nSELECT 1\n----\n2\n", 1),
        ("query II\nSELECT 1\n----\n1\n", 1),
        ("query I rowsort\nFROM (VALUES (2), (1))\n----\n1\n2\n", 0),
        ("query I\nFROM (VALUES (2), (1))\n----\n1\n2\n", 1),
        ("query T\nSELECT ''\n----\n(empty)\n\nquery T\nSELECT NULL\n----\nNULL\n", 0),
        ("statement ok\nSELECT 1\n\nstatement error\nSELECT 1\n", 1),
        ("statement error no such thing\nSELECT nothing\n", 1),
        ("statement error nothing\nSELECT nothing\n", 0),
        ("statement ok\nSELECT nothing\n", 1),
        ("query I\nSELECT 1\n----\n", 1),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(run(&path, SETTINGS[0], false).len(), wrong, "{text}");
        assert_eq!(Script::read(&path).text(), text);
    }
}
