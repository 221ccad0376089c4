//! The examples run on testdata, and say what they should. `cargo test` builds them beside the command.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An example with its arguments, and what it prints among other things.
const EXAMPLES: &[(&str, &[&str], &str)] = &[
    ("buyers", &["testdata/events.jsonl"], "purchases"),
    ("convert", &["testdata/*.jsonl", "{dir}/events.parquet"], "120 rows"),
    ("distances", &[], "Lima"),
    ("failing_paths", &["testdata/access.log", "3"], "/shop/"),
    ("inc_double_add", &["1", "2", "3", "4", "5"], "total 50"),
    ("group_csv", &["testdata/sales.csv", "region", "quantity"], "4 groups"),
    ("join_files", &["testdata/sales.csv", "{dir}/regions.parquet", "region", "{dir}/joined.parquet"], "360 rows"),
    (
        "join_files",
        &["testdata/sales.csv", "{dir}/regions.parquet", "region", "{dir}/joined.parquet", "--memory", "16MiB"],
        "went through scratch",
    ),
    ("jq_counts", &["testdata/events.jsonl", ".tags[]", "1"], "47 a"),
    ("own_rows", &["20000"], "| roof "),
    ("report", &[], "The largest sales"),
    ("sessions", &["testdata/events.jsonl", "4 minutes"], "lasted"),
    ("shared_work", &["testdata/access.log", "/shop/"], "lines, the longest of"),
    ("structs", &["testdata/events.jsonl"], "was last seen at"),
    ("tree_reduction", &["40", "20000", "16MiB"], "the sum of 40 parts is"),
    ("word_count", &["testdata/*.jsonl", "9"], "120 kind"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn examples_run() {
    let dir = tempfile::tempdir().unwrap();
    let regions = dir.path().join("regions.parquet");
    let session = partita::Session::builder().build().unwrap();
    session.sql("SELECT * FROM 'testdata/regions.csv'").unwrap().to_parquet(regions.to_str().unwrap()).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_partita")).parent().unwrap().join("examples");
    for (name, arguments, said) in EXAMPLES {
        let arguments = arguments.iter().map(|a| a.replace("{dir}", &dir.path().to_string_lossy()));
        let output = Command::new(built.join(name)).args(arguments).current_dir(root()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(said), "{name}: {text}");
    }
    assert!(dir.path().join("events.parquet").exists());
}

#[test]
fn every_example_is_run() {
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(EXAMPLES.iter().any(|(known, ..)| *known == name), "{name} is not run by this test");
    }
}

/// What a name promises about its content is kept: packed text is packed, and reads back to the same rows.
#[test]
fn copies_are_packed_as_their_names_say() {
    let dir = tempfile::tempdir().unwrap();
    let session = partita::Session::builder().build().unwrap();
    for (name, magic) in [("a.csv.gz", &[0x1f, 0x8b][..]), ("a.jsonl.zst", &[0x28, 0xb5][..]), ("a.tsv", b"k\tv\n")] {
        let path = dir.path().join(name);
        let path = path.to_str().unwrap();
        session.execute(&format!("COPY (SELECT 1 AS k, 'x' AS v) TO '{path}'")).unwrap();
        assert!(std::fs::read(path).unwrap().starts_with(magic), "{name}");
        assert_eq!(session.sql(&format!("SELECT k, v FROM '{path}'")).unwrap().count().unwrap(), 1, "{name}");
    }
}
