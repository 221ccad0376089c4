//! `on_error` and `rejects()`, as SQL sees them, on all kinds of sessions.

use super::testing::{ask, ask_sorted, error, file, roomy, sessions};
use std::fmt::Write;

#[test]
fn rejects_are_a_table_of_the_last_queries() {
    let mut text = String::from("n,word\n");
    let mut json = String::new();
    for i in 0..6000 {
        let bad = i % 1000 == 77;
        let _ = writeln!(text, "{},w{i}", if bad { "oops".to_string() } else { i.to_string() });
        let _ = writeln!(json, "{{\"n\":{i},\"word\":\"w{i}\"{}", if bad { "" } else { "}" });
    }
    let ((_csv, csv), (_json, json)) = (file(".csv", &text), file(".jsonl", &json));
    let good: i64 = (0..6000).filter(|i| i % 1000 != 77).sum();
    for session in sessions() {
        assert_eq!(ask(&session, "SELECT count(*) FROM rejects()"), ["0"]);
        let from = format!("read_csv('{csv}', types => {{'n': 'bigint'}}, on_error => 'reject')");
        assert_eq!(ask(&session, &format!("SELECT count(*), sum(n) FROM {from}")), [format!("5994|{good}")]);
        let told =
            ask(&session, "SELECT line, \"column\", text, reason FROM rejects() WHERE line < 2000 ORDER BY line");
        assert_eq!(
            told,
            ["79|n|oops|the value is not an integer of 64 bits", "1079|n|oops|the value is not an integer of 64 bits"]
        );
        let nulls = format!("read_csv('{csv}', types => {{'n': 'bigint'}}, on_error => 'null')");
        assert_eq!(ask(&session, &format!("SELECT count(*), count(n) FROM {nulls}")), ["6000|5994"]);
        let from = format!("read_json('{json}', ignore_errors => true)");
        let groups = format!("SELECT n % 2 AS g, count(*), max(word) FROM {from} GROUP BY g");
        assert_eq!(ask_sorted(&session, &groups), ["0|3000|w998", "1|2994|w999"]);
        let lines = "SELECT line FROM rejects() WHERE file LIKE '%.jsonl' ORDER BY line";
        assert_eq!(ask(&session, lines), ["78", "1078", "2078", "3078", "4078", "5078"]);
        let stats = session.stats();
        assert_eq!((stats.rejected, stats.nulled), (12, 6));
    }
}

/// A query that starts over with wider types tells of its rejects once.
#[test]
fn a_restart_counts_once() {
    let lines = |late: &str| -> String {
        (0..400_000)
            .map(|i| {
                if i == 50 {
                    "x,2\n"
                } else if i == 110_000 {
                    late
                } else {
                    "1,2\n"
                }
            })
            .collect()
    };
    let (_file, path) = file(".csv", &format!("a,b\n{}", lines("1,2.5\n")));
    let session = roomy();
    let from = format!("read_csv('{path}', types => {{'a': 'int'}}, on_error => 'reject')");
    assert_eq!(ask(&session, &format!("SELECT count(*), sum(b) FROM {from}")), ["399999|799998.5"]);
    assert_eq!((session.stats().restarts, session.stats().rejected), (1, 1));
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let (_file, path) = file(".csv", "a\n1\n");
    let session = roomy();
    let said = error(&session, &format!("FROM read_csv('{path}', on_error => 'skip')"));
    assert!(said.contains("none of fail, null, reject"), "{said}");
    let said = error(&session, &format!("FROM read_parquet('{path}', on_error => 'reject')"));
    assert!(said.contains("no option"), "{said}");
}

/// A quote in the middle of a field is text wherever it stands, in the sample or behind it, and whatever becomes of errors.
#[test]
fn stray_quotes_behind_the_sample_are_no_rejects() {
    let rows = "1,word\n".repeat(60_000);
    let (_late, late) = file(".csv", &format!("n,word\n{rows}2,12\" pipe\nx,bad\n{}", "3,w\n".repeat(60_000)));
    for session in sessions() {
        let from = format!("read_csv('{late}', types => {{'n': 'int'}}, on_error => 'reject')");
        let asked = format!("SELECT count(*), max(CASE WHEN n = 2 THEN word END) FROM {from}");
        assert_eq!(ask(&session, &asked), ["120001|12\" pipe"]);
        assert_eq!(ask(&session, "SELECT line, text FROM rejects()"), ["60003|x"]);
        let strict = from.replace("on_error", "strict_mode => true, on_error");
        assert_eq!(ask(&session, &format!("SELECT count(*) FROM {strict}")), ["120000"]);
    }
}
