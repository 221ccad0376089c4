//! Outputs of many files: what is written reads back equal, in little memory too; what fails leaves nothing.

use super::Session;
use super::testing::{ask, ask_sorted, roomy, sessions, starved, try_ask};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn run(session: &Session, sql: &str) -> crate::Result<()> {
    session.execute(sql)
}

/// The files below a directory, hidden ones too.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(next) = open.pop() {
        for path in std::fs::read_dir(&next).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() { open.push(path) } else { found.push(path.strip_prefix(dir).unwrap().to_path_buf()) }
        }
    }
    found.sort();
    found
}

fn names(dir: &Path) -> Vec<String> {
    files(dir).iter().map(|p| p.display().to_string()).collect()
}

#[test]
fn hundreds_of_keys_in_little_memory() {
    let rows = "SELECT range AS a, range * 7919 % 600 AS k, repeat(md5(range::VARCHAR), 20) AS s FROM range(20000)";
    for session in sessions() {
        for format in ["parquet", "csv"] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out").display().to_string();
            run(&session, &format!("COPY ({rows}) TO '{out}' (FORMAT {format}, PARTITION_BY (k))")).unwrap();
            let written = files(dir.path());
            assert_eq!(written.len(), 600, "one file a key");
            assert!(written.contains(&PathBuf::from(format!("out/k=42/data_0.{format}"))));
            let sums = "count(*), sum(a), sum(k), min(s), count(DISTINCT k)";
            let back = ask(&session, &format!("SELECT {sums} FROM '{out}/**/*.{format}'"));
            assert_eq!(back, ask(&session, &format!("SELECT {sums} FROM ({rows})")));
            // Within a partition the order is the query's.
            let order = ask(&session, &format!("SELECT a FROM '{out}/k=42/data_0.{format}'"));
            assert_eq!(order, ask(&session, &format!("SELECT a FROM ({rows}) WHERE k = 42 ORDER BY a")));
        }
        if session.stats().budget < 64 << 20 {
            assert!(session.stats().scratch_written > 1 << 20, "little was spilled");
        }
    }
}

/// A file that its worker hands over waits without its packer: who goes on with it begins another member.
#[test]
fn packed_files_that_change_hands_are_whole() {
    let rows = "SELECT range AS a, range * 7 // 30000 AS k, md5(range::VARCHAR) AS s FROM range(30000)";
    let sums = "count(*), sum(a), min(s), max(s), count(DISTINCT s)";
    for session in sessions() {
        for packed in ["gzip", "zstd"] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out").display().to_string();
            run(&session, &format!("COPY ({rows}) TO '{out}' (FORMAT csv, COMPRESSION {packed}, PARTITION_BY (k))"))
                .unwrap();
            assert_eq!(files(dir.path()).len(), 7, "one file a key");
            let back = ask(&session, &format!("SELECT {sums} FROM read_csv('{out}/*/*.csv.*')"));
            assert_eq!(back, ask(&session, &format!("SELECT {sums} FROM ({rows})")), "{packed}");
        }
    }
}

#[test]
fn one_key_over_many_tasks_is_one_file() {
    let rows = "SELECT range AS a, if(range < 29000, 'big', 'small') AS k FROM range(30000)";
    for session in [starved(true), starved(false)] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out").display().to_string();
        run(&session, &format!("COPY ({rows}) TO '{out}' (FORMAT csv, PARTITION_BY k)")).unwrap();
        assert_eq!(names(dir.path()), ["out/k=big/data_0.csv", "out/k=small/data_0.csv"]);
        let back = ask(&session, &format!("SELECT k, count(*), sum(a) FROM '{out}/*/*.csv' GROUP BY k ORDER BY k"));
        assert_eq!(back, ["big|29000|420485500", "small|1000|29499500"]);
    }
}

#[test]
fn files_of_a_size_and_of_a_worker() {
    let rows = "SELECT range AS a, md5(range::VARCHAR) AS s FROM range(60000)";
    for session in sessions() {
        for format in ["parquet", "csv"] {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out").display().to_string();
            run(&session, &format!("COPY ({rows}) TO '{out}' (FORMAT {format}, FILE_SIZE_BYTES '400KB')")).unwrap();
            let count = files(dir.path()).len();
            assert!((2..=12).contains(&count), "{format}: {count} files");
            // The files follow each other in the order of the rows.
            let paths: Vec<String> = (0..count).map(|i| format!("'{out}/data_{i}.{format}'")).collect();
            let back = ask(&session, &format!("SELECT a FROM read_{format}([{}])", paths.join(", ")));
            assert!(back.iter().map(|a| a.parse::<usize>().unwrap()).eq(0..60000));
            let apart = dir.path().join("apart").display().to_string();
            let options = format!("FORMAT {format}, PER_THREAD_OUTPUT, FILENAME_PATTERN 'part-{{i}}'");
            run(&session, &format!("COPY ({rows}) TO '{apart}' ({options})")).unwrap();
            let of_workers = files(&dir.path().join("apart")).len();
            assert!((1..=2).contains(&of_workers), "{of_workers} workers");
            let sums = ask(&session, &format!("SELECT count(*), sum(a) FROM '{apart}/part-*.{format}'"));
            assert_eq!(sums, ["60000|1799970000"]);
        }
    }
}

#[test]
fn what_is_there_is_refused_replaced_kept_or_added_to() {
    let session = roomy();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out").display().to_string();
    let copy = |k: &str, options: &str| {
        run(&session, &format!("COPY (SELECT 1 AS a, '{k}' AS k) TO '{out}' (FORMAT csv, PARTITION_BY (k) {options})"))
    };
    copy("x", "").unwrap();
    assert!(copy("y", "").unwrap_err().message().contains("not empty"));
    assert_eq!(names(dir.path()), ["out/k=x/data_0.csv"]);
    copy("y", ", OVERWRITE_OR_IGNORE").unwrap();
    copy("y", ", OVERWRITE_OR_IGNORE").unwrap();
    assert_eq!(names(dir.path()), ["out/k=x/data_0.csv", "out/k=y/data_0.csv"]);
    copy("y", ", APPEND").unwrap();
    assert_eq!(files(dir.path()).len(), 3);
    assert_eq!(ask_sorted(&session, &format!("SELECT k, count(*) FROM '{out}/*/*.csv' GROUP BY k")), ["x|1", "y|2"]);
    copy("z", ", OVERWRITE, FILENAME_PATTERN 'f', WRITE_PARTITION_COLUMNS").unwrap();
    assert_eq!(names(dir.path()), ["out/k=z/f0.csv"]);
    assert_eq!(std::fs::read_to_string(dir.path().join("out/k=z/f0.csv")).unwrap(), "a,k\n1,z\n");
}

#[test]
fn a_query_that_fails_leaves_nothing() {
    for session in sessions() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out").display().to_string();
        let rows = "SELECT range AS a, range % 100 AS k, error(CASE WHEN range = 29999 THEN 'late' END) AS e FROM range(30000)";
        for options in ["PARTITION_BY (k)", "PER_THREAD_OUTPUT", "FILE_SIZE_BYTES '10KB'"] {
            run(&session, &format!("COPY ({rows}) TO '{out}' (FORMAT csv, {options})")).unwrap_err();
            assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "{options}");
        }
        for wrong in ["PARTITION_BY (nothing)", "PARTITION_BY (a, a)", "PARTITION_BY (a), FORMA x", "PARTITION_BY (a)"]
        {
            run(&session, &format!("COPY (SELECT 1 AS a) TO '{out}' (FORMAT csv, {wrong})")).unwrap_err();
            assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "{wrong}");
        }
    }
}

#[test]
fn text_as_the_options_say() {
    let session = roomy();
    let dir = tempfile::tempdir().unwrap();
    let write = |options: &str| {
        let path = dir.path().join("x.csv");
        let rows =
            "SELECT 1 AS a, NULL AS b, 'q|''x' AS c, DATE '2024-01-02' AS d, TIMESTAMP '2024-01-02 10:00:00.5' AS t";
        run(&session, &format!("COPY ({rows}) TO '{}' (FORMAT csv, {options})", path.display()))
            .map(|()| std::fs::read_to_string(&path).unwrap())
    };
    assert_eq!(write("HEADER false").unwrap(), "1,,q|'x,2024-01-02,2024-01-02T10:00:00.500\n");
    let all =
        "DELIMITER '|', QUOTE '''', NULLSTR 'NA', FORCE_QUOTE (a, b), DATEFORMAT '%d/%m/%Y', TIMESTAMPFORMAT '%H %f'";
    assert_eq!(write(all).unwrap(), "a|b|c|d|t\n'1'|NA|'q|''x'|02/01/2024|10 500000\n");
    assert_eq!(write("HEADER false, FORCE_QUOTE *, ESCAPE '\\'").unwrap().matches('"').count(), 8);
    for wrong in ["DATEFORMAT '%Q'", "FORCE_QUOTE (zz)", "NULLSTRING 'x'", "DELIMITER '\"'"] {
        write(wrong).unwrap_err();
    }
}

#[test]
fn a_frame_writes_with_options() {
    let session = roomy();
    let dir = tempfile::tempdir().unwrap();
    let frame = session.sql("SELECT range AS a, range % 3 AS k FROM range(3000)").unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    assert_eq!(frame.write().partition_by(&["k"]).format("parquet").to(&path("p")).unwrap(), 3000);
    assert_eq!(ask(&session, &format!("SELECT count(*), sum(k) FROM '{}/*/*'", path("p"))), ["3000|3000"]);
    frame.write().option("row_group_size", "100").option("compression_level", "9").to(&path("g.parquet")).unwrap();
    assert_eq!(ask(&session, &format!("SELECT sum(a) FROM '{}'", path("g.parquet"))), ["4498500"]);
    frame.write().file_per_thread().format("csv").option("compression", "gzip").to(&path("w")).unwrap();
    assert_eq!(names(&dir.path().join("w"))[0], "data_0.csv.gz");
    frame.write().file_bytes(4000).format("csv").to(&path("s")).unwrap();
    frame.write().file_bytes(4000).format("csv").append().to(&path("s")).unwrap();
    assert_eq!(ask(&session, &format!("SELECT count(*) FROM '{}'", path("s"))), ["6000"]);
    assert!(try_ask(&session, &format!("SELECT * FROM '{}'", path("none"))).is_err());
}

fn literal(text: &Option<String>) -> String {
    text.as_ref().map_or("NULL".into(), |t| format!("'{}'", t.replace('\'', "''")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any texts as keys come back as they were, each with its rows.
    #[test]
    fn keys_read_back_equal(
        keys in proptest::collection::vec((proptest::option::of("[ -~äß☃]{0,12}"), proptest::option::of(-5i64..5)), 1..40),
        name in "[a-z%=/ ]{1,6}",
    ) {
        let session = roomy();
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out").display().to_string();
        let row = |(i, (text, n)): (usize, &(Option<String>, Option<i64>))| {
            format!("({i}, {}, {})", literal(text), n.map_or("NULL".into(), |n| n.to_string()))
        };
        let rows: Vec<String> = keys.iter().enumerate().map(row).collect();
        let name = format!("{name}k");
        session.execute(&format!(
            "CREATE TABLE t AS SELECT i, s::VARCHAR AS \"{name}\", n::BIGINT AS n FROM (VALUES {}) t(i, s, n)", rows.join(", ")
        )).unwrap();
        let copy = format!("COPY t TO '{out}' (FORMAT parquet, PARTITION_BY (\"{name}\", n))");
        session.execute(&copy).unwrap();
        let types = format!("{{'{name}': VARCHAR, 'n': BIGINT}}");
        let back = format!("SELECT i, \"{name}\", n FROM read_parquet('{out}', hive_types => {types}) ORDER BY i");
        prop_assert_eq!(ask(&session, &back), ask(&session, &format!("SELECT i, \"{name}\", n FROM t ORDER BY i")));
    }
}
