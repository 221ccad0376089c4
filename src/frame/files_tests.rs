//! Tables over many files, as SQL sees them: hive columns, paths, numbers of rows, files of different columns.

use super::Outcome;
use super::testing::{ask, ask_sorted, error, roomy, sessions};
use arrow::array::{Array, AsArray};
use std::path::Path;

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn keys_of_directories_in_queries() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[
            ("day=2024-01-01/k=1/a.csv", "x\n1\n2\n"),
            ("day=2024-01-02/k=1/a.csv", "x\n3\n"),
            ("day=2024-01-02/k=2/a.csv", "x\n4\n5\n"),
        ],
    );
    let glob = format!("{}/**/*.csv", dir.path().display());
    for session in sessions() {
        let all = ask(&session, &format!("SELECT * FROM '{glob}'"));
        assert_eq!(all, ["1|2024-01-01|1", "2|2024-01-01|1", "3|2024-01-02|1", "4|2024-01-02|2", "5|2024-01-02|2"]);
        let sums = format!("SELECT day, k, sum(x) FROM '{glob}' WHERE day >= DATE '2024-01-02' GROUP BY ALL");
        assert_eq!(ask_sorted(&session, &sums), ["2024-01-02|1|3", "2024-01-02|2|9"]);
        let mixed = format!("SELECT x FROM '{glob}' WHERE k = 2 AND x > 4 OR day < DATE '2024-01-02' AND x + k = 3");
        assert_eq!(ask(&session, &mixed), ["2", "5"]);
        assert_eq!(ask(&session, &format!("SELECT count(*) FROM '{glob}' WHERE k = 1")), ["3"]);
        let number = format!(
            "SELECT file_row_number, x, parse_filename(filename) FROM read_csv('{glob}', filename => true, \
             file_row_number => true) WHERE file_row_number = 1"
        );
        assert_eq!(ask(&session, &number), ["1|2|a.csv", "1|5|a.csv"]);
        let plain = format!("SELECT * FROM read_csv('{glob}', hive_partitioning => false)");
        assert_eq!(ask(&session, &plain), ["1", "2", "3", "4", "5"]);
        let typed = format!("SELECT k || '!' FROM read_csv('{glob}', hive_types => {{'k': VARCHAR}}) WHERE x = 4");
        assert_eq!(ask(&session, &typed), ["2!"]);
        let directory = format!("SELECT max(k) FROM '{}'", dir.path().display());
        assert_eq!(ask(&session, &directory), ["2"]);
        let joined = format!("SELECT a.x FROM '{glob}' a JOIN (VALUES (2)) t(k) ON a.k = t.k");
        assert_eq!(ask_sorted(&session, &joined), ["4", "5"]);
    }
}

/// What is loaded, exported and imported goes by the files alone, wherever they lie.
#[test]
fn a_table_is_filled_from_the_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("k=1/a.csv", "x\n1\n2\n")]);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let session = roomy();
    session.execute("CREATE TABLE t(x BIGINT)").unwrap();
    session.execute(&format!("COPY t FROM '{}'", at("k=1/a.csv"))).unwrap();
    assert_eq!(ask(&session, "SELECT sum(x) FROM t"), ["3"]);
    session.execute(&format!("EXPORT DATABASE '{}'", at("k=2"))).unwrap();
    let other = roomy();
    other.execute(&format!("IMPORT DATABASE '{}'", at("k=2"))).unwrap();
    assert_eq!(ask(&other, "SELECT * FROM t"), ["1", "2"]);
}

#[test]
fn columns_are_united_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.csv", "a,b\n1,x\n"), ("b.csv", "b,c\ny,2\n"), ("c.csv", "a,c\n,2.5\n")]);
    let glob = format!("{}/*.csv", dir.path().display());
    let session = roomy();
    let rows = ask(&session, &format!("SELECT * FROM read_csv('{glob}', union_by_name => true)"));
    assert_eq!(rows, ["1|x|-", "-|y|2.0", "-|-|2.5"].map(str::to_string));
    let drift = error(&session, &format!("SELECT * FROM '{glob}'"));
    assert!(drift.contains("header"), "{drift}");
    // A type that was guessed too narrow in one file is widened, and the query starts over.
    let many: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    let (head, tail) = many.split_at(many[..many.len() * 2 / 5].rfind('\n').unwrap() + 1);
    write(dir.path(), &[("late/a.csv", &format!("n\n{head}oops\n{tail}")), ("late/b.csv", "m,n\n1,2\n")]);
    let late = format!("{}/late/*.csv", dir.path().display());
    let sql = format!("SELECT n FROM read_csv('{late}', union_by_name => true) WHERE n IN ('oops', '2') ORDER BY n");
    assert_eq!(ask(&session, &sql), ["2", "2", "oops"]);
    let json = format!("{}/j/*.json", dir.path().display());
    write(dir.path(), &[("j/a.json", "{\"a\": 1}\n"), ("j/b.json", "{\"b\": \"x\"}\n")]);
    let sql =
        format!("SELECT a, b FROM read_json('{json}', union_by_name => true, filename => true) ORDER BY filename");
    assert_eq!(ask(&session, &sql), ["1|-", "-|x"]);
}

/// What was found is told, can be said, and is overridden.
#[test]
fn dialects_are_found_told_and_overridden() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.csv", "made by me\n\na;b;'c'\r\n1,5;x;'p;q'\r\nNA;y;'r'\r\n")]);
    let path = dir.path().join("a.csv").display().to_string();
    let session = roomy();
    assert_eq!(ask(&session, &format!("FROM '{path}'")), ["1.5|x|p;q", "-|y|r"]);
    let told = "SELECT Delimiter, Quote, Escape, NewLineDelimiter, Comment, SkipRows, HasHeader, DateFormat, \
        DecimalSeparator, StrictMode, Columns[1].name, Columns[1].type, UserArguments FROM sniff_csv";
    let row = ask(&session, &format!("{told}('{path}', dateformat => '%d.%m.%Y')"));
    assert_eq!(row, [";|'|'|\\n|(empty)|2|true|%d.%m.%Y|,|true|a|double|dateformat='%d.%m.%Y'"]);
    let prompt = ask(&session, &format!("SELECT Prompt FROM sniff_csv('{path}')")).remove(0);
    assert!(prompt.contains("delim=';', quote='''', ") && prompt.contains("columns={'a': 'double', 'b': "), "{prompt}");
    let again = error(&session, prompt.trim_end_matches(';'));
    assert!(again.contains("not a number"), "NA is no number of a declared column: {again}");
    let describe = session.statements(&format!("DESCRIBE '{path}'")).unwrap().remove(0);
    let Outcome::Rows(rows) = session.run(&describe).unwrap() else { panic!("rows, please") };
    let batch = rows.into_iter().next().unwrap().unwrap();
    let notes = batch.column_by_name("read_as").unwrap().as_string_view();
    assert_eq!(notes.value(0), "delimiter ';', quote ''', header, 2 lines skipped, decimal ','");
    assert!(notes.is_null(1));
    let over = "decimal => '.', header => false, skip => 2, names => ['k'], nullstr => 'NA'";
    assert_eq!(ask(&session, &format!("SELECT k FROM read_csv('{path}', {over})")), ["a", "1,5", "-"]);
    let wrong = error(&session, &format!("FROM read_csv('{path}', delimiter => ';', sep => ';')"));
    assert!(wrong.contains("the same one"), "{wrong}");
}

/// A quote behind the sample that stands where none should: the query starts over, and is exact.
#[test]
fn quotes_that_come_late_start_a_query_over() {
    let dir = tempfile::tempdir().unwrap();
    let rows = |n: usize| "1,\"a\nb\"\n".repeat(n);
    write(dir.path(), &[("a.csv", &format!("k,v\n{}2,12\" pipe\n{}", rows(200_000), rows(200_000)))]);
    let path = dir.path().join("a.csv").display().to_string();
    for session in sessions() {
        let sums = ask(&session, &format!("SELECT count(*), sum(k), count(DISTINCT v), min(v) FROM '{path}'"));
        assert_eq!(sums, ["400001|400002|2|12\" pipe"]);
        let strict = error(&session, &format!("SELECT sum(k) FROM read_csv('{path}', strict_mode => true)"));
        assert!(strict.contains("middle of a field") || strict.contains("fields"), "{strict}");
    }
}

/// The path of a row's file is there for who names it; no star includes it.
#[test]
fn files_have_a_column_that_nobody_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.csv", "x\n1\n2\n"), ("b.csv", "x\n3\n"), ("c.jsonl", "{\"y\":1}\n")]);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let glob = at("*.csv");
    for session in sessions() {
        let of = |sql: &str| {
            let lines = ask(&session, sql);
            lines.into_iter().map(|line| line.replace(&format!("{}/", dir.path().display()), "")).collect::<Vec<_>>()
        };
        assert_eq!(of(&format!("SELECT filename, * FROM '{glob}'")), ["a.csv|1", "a.csv|2", "b.csv|3"]);
        assert_eq!(of(&format!("SELECT * FROM '{glob}' WHERE filename LIKE '%b.csv'")), ["3"]);
        assert_eq!(of(&format!("SELECT * EXCLUDE (x), filename FROM '{glob}' LIMIT 1")), ["a.csv"]);
        assert_eq!(of(&format!("FROM read_csv('{glob}', header = true) WHERE filename LIKE '%a.csv'")), ["1", "2"]);
        let grouped = format!("SELECT f.filename, count(*), max(f.x) FROM '{glob}' f GROUP BY filename ORDER BY 1");
        assert_eq!(of(&grouped), ["a.csv|2|2", "b.csv|1|3"]);
        assert_eq!(of(&format!("SELECT f.*, filename FROM '{glob}' AS f WHERE x = 3")), ["3|b.csv"]);
        assert_eq!(of(&format!("SELECT y, filename FROM '{}'", at("c.jsonl"))), ["1|c.jsonl"]);
        let inner = format!("SELECT n || '!' FROM (SELECT filename AS n, * FROM '{glob}') ORDER BY x LIMIT 1");
        assert_eq!(of(&inner), ["a.csv!"]);
        assert!(error(&session, "SELECT filename FROM (VALUES (1)) t(a)").contains("no column \"filename\""));
        assert!(error(&session, &format!("SELECT filenam FROM '{glob}'")).contains("no column \"filenam\""));
    }
}

#[test]
fn glob_lists_files() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a.csv", ""), ("b.csv", ""), ("d/e.csv", ""), (".hidden.csv", "")]);
    let session = roomy();
    let of = |pattern: &str| {
        let lines = ask(&session, &format!("SELECT file FROM glob('{}/{pattern}')", dir.path().display()));
        lines.into_iter().map(|line| line.replace(&format!("{}/", dir.path().display()), "")).collect::<Vec<_>>()
    };
    assert_eq!(of("*.csv"), ["a.csv", "b.csv"]);
    assert_eq!(
        (of("**/*.csv"), of("a.csv")),
        (vec!["a.csv".into(), "b.csv".into(), "d/e.csv".into()], vec!["a.csv".into()])
    );
    assert_eq!((of("*.parquet"), of("none.csv"), of("d")), (vec![], vec![], vec![]));
    assert_eq!(ask(&session, "SELECT count(*) FROM glob(NULL)"), ["0"]);
    assert!(error(&session, "FROM glob('a[')").contains("malformed"));
    assert_eq!(ask(&session, "SELECT 'abc' GLOB 'a*'"), ["true"]);
}
