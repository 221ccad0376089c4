//! WITH RECURSIVE.

use super::testing::{ask, ask_sorted, error, roomy, sessions};
use std::collections::BTreeSet;

#[test]
fn rounds_in_order() {
    for session in sessions() {
        let count = "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select * from t";
        assert_eq!(ask(&session, count), ["1", "2", "3", "4", "5"]);
        let fib = "with recursive f(a, b) as (select 0, 1 union all select b, a + b from f where b < 50) \
                   select max(b), count(*) from f";
        assert_eq!(ask(&session, fib), ["55|10"]);
        // The same name inside means the inner one; two levels.
        let nested = "with recursive t(n) as (select 1 union all select t.n + m from t, \
                      (with recursive u(m) as (select 1 union all select m + 1 from u where m < 2) select * from u) \
                      where n + m < 5) select n, count(*) from t group by n order by n";
        assert_eq!(ask(&session, nested), ["1|1", "2|1", "3|2", "4|3"]);
        // Twice in one query.
        let twice = "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) \
                     select a.n, b.n from t a join t b on a.n + 1 = b.n order by 1";
        assert_eq!(ask(&session, twice), ["1|2", "2|3"]);
    }
}

#[test]
fn union_ends_where_all_is_known() {
    // A ring with chords: every node is reached, in circles without an end.
    let edges: Vec<String> =
        (0..400).flat_map(|i| [(i, (i + 1) % 400), (i, i * 7 % 400)]).map(|(a, b)| format!("({a},{b})")).collect();
    let sql = format!(
        "with recursive e(a, b) as (values {}), r(n) as (select 0 union select b from r join e on n = a) \
         select count(*), sum(n) from r",
        edges.join(",")
    );
    for session in sessions() {
        assert_eq!(ask(&session, &sql), ["400|79800"]);
        let nulls = "with recursive t(n) as (select null::int union select n from t) select count(*) from t";
        assert_eq!(ask(&session, nulls), ["1"]);
    }
}

#[test]
fn a_limit_ends_what_has_no_end() {
    let session = roomy();
    let endless = "with recursive t(n) as (select 1 union all select n + 1 from t)";
    assert_eq!(ask(&session, &format!("{endless} select * from t limit 3")), ["1", "2", "3"]);
    assert_eq!(ask(&session, &format!("{endless} select n * 2 from t where n > 3 limit 2 offset 1")), ["10", "12"]);
    assert_eq!(ask(&session, &format!("{endless} select count(*) from (select * from t limit 10)")), ["10"]);
}

#[test]
fn many_rows_rest_in_scratch() {
    for session in sessions() {
        let sql = "with recursive t(n, s) as (select i, 'text of row ' || i from range(3000) r(i) \
                   union all select n + 3000, s from t where n < 27000) select count(*), count(distinct n), count(distinct s) from t";
        assert_eq!(ask(&session, sql), ["30000|30000|3000"]);
    }
}

#[test]
fn trees() {
    let (_keep, path) = super::testing::file(".csv", "id,parent,name\n1,,root\n2,1,a\n3,1,b\n4,2,c\n5,4,d\n");
    let session = roomy();
    let sql = format!(
        "with recursive p as (select id, name, 1 as depth from '{path}' where parent is null \
         union all select t.id, p.name || '/' || t.name, depth + 1 from '{path}' t join p on t.parent = p.id) \
         select id, name, depth from p order by id"
    );
    let wanted = ["1|root|1", "2|root/a|2", "3|root/b|2", "4|root/a/c|3", "5|root/a/c/d|4"];
    assert_eq!(ask(&session, &sql), wanted);
    let reached: BTreeSet<String> = ask_sorted(&session, &sql).into_iter().collect();
    assert_eq!(reached.len(), 5);
}

#[test]
fn errors_and_plans() {
    let session = roomy();
    let wrong = "with recursive t(n) as (select 1 union all select 'x' || n from t where n < 3) select * from t";
    assert!(!error(&session, wrong).is_empty());
    let overflow = "with recursive t(n) as (select 1::bigint union all select n * 1000 from t) select count(*) from t";
    assert!(error(&session, overflow).to_lowercase().contains("overflow"));
    let frame = session.sql("with recursive t(n) as (select 1 union all select n + 1 from t) select * from t").unwrap();
    assert!(frame.explain().unwrap().contains("the rounds of t"));
}

#[test]
fn a_cancel_ends_it() {
    let session = super::testing::starved(false);
    let other = session.clone();
    let asked = std::thread::spawn(move || {
        error(&other, "with recursive t(n) as (select 1 union all select n % 10 from t) select count(*) from t")
    });
    std::thread::sleep(std::time::Duration::from_millis(50));
    while !asked.is_finished() {
        session.cancel_all();
        std::thread::yield_now();
    }
    assert!(asked.join().unwrap().contains("cancel"));
}

/// Columns without an alias are called as those of the first term.
#[test]
fn names_come_from_the_first_term() {
    let session = roomy();
    for (sql, rows) in [
        (
            "with recursive t(n) as (select 1, 2 as m union all select n + 1, m * 2 from t where n < 3) select m, n from t",
            ["2|1", "4|2", "8|3"].as_slice(),
        ),
        (
            "with recursive t as (select 1 as n union all select n + 1 from t where n < 3) select n from t",
            &["1", "2", "3"],
        ),
        (
            "with recursive t(a) as (select x, x + 1 as y from (values (1)) v(x) union all select y, a + y from t where y < 5) \
             select a, y from t",
            &["1|2", "2|3", "3|5"],
        ),
        ("with t(a) as (select 1, 2 as b) select a, b from t", &["1|2"]),
        ("with recursive t(a) as (select 1, 2 as b) select b, a from t", &["2|1"]),
    ] {
        assert_eq!(ask(&session, sql), rows, "{sql}");
    }
}
