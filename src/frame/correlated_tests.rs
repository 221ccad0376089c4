//! Correlated subqueries in all places, and IN with nulls: the answers are DuckDB's.

use super::testing::{ask, ask_sorted, error, sessions};

const TABLES: &str = "with t(id, v, g) as (values (1, 10, 'x'), (2, 20, 'y'), (3, null, 'x'), (4, 40, null), (5, 10, 'z')), \
    u(id, w, h) as (values (1, 5, 'x'), (1, 15, 'x'), (2, 20, 'y'), (3, 30, null), (7, 10, 'z'), (null, 10, 'x'))";

/// Queries over the tables, and their rows, sorted.
const CASES: &[(&str, &[&str])] = &[
    ("select id, (select max(w) from u where u.id = t.id) from t", &["1|15", "2|20", "3|30", "4|-", "5|-"]),
    ("select id, (select count(*) from u where u.w < t.v) from t", &["1|1", "2|4", "3|0", "4|6", "5|1"]),
    (
        "select id, exists (select 1 from u where u.id = t.id) from t",
        &["1|true", "2|true", "3|true", "4|false", "5|false"],
    ),
    (
        "select id, not exists (select 1 from u where u.w > t.v) from t",
        &["1|false", "2|false", "3|true", "4|true", "5|false"],
    ),
    ("select id, t.v in (select w from u where u.h = t.g) from t", &["1|true", "2|true", "3|-", "4|false", "5|true"]),
    (
        "select id, t.v not in (select w from u where u.id >= t.id) from t",
        &["1|false", "2|false", "3|-", "4|true", "5|false"],
    ),
    ("select id, v in (select w from u) from t", &["1|true", "2|true", "3|-", "4|false", "5|true"]),
    ("select id, v not in (select id from u) from t", &["1|-", "2|-", "3|-", "4|-", "5|-"]),
    ("select id from t where v > 30 or id in (select id from u)", &["1", "2", "3", "4"]),
    ("select id from t where g = 'z' or v not in (select w from u where w > 15)", &["1", "4", "5"]),
    ("select id from t where id = 4 or exists (select 1 from u where u.w = t.v and u.h = t.g)", &["1", "2", "4", "5"]),
    ("select id from t where (select count(*) from u where u.id = t.id or u.w = t.v) = 2", &["5"]),
    ("select id from t where v >= all (select w from u where u.h = t.g)", &["2", "4", "5"]),
    (
        "select id, v > any (select w from u where u.id <> t.id) from t",
        &["1|false", "2|true", "3|-", "4|true", "5|true"],
    ),
    ("select id from t where v = (select max(v) from t as s where s.g = t.g)", &["1", "2", "5"]),
    ("select id from t where v not in (select v from t as s where s.id <> t.id and v is not null)", &["2", "4"]),
    (
        "select t.id, s.n from t, lateral (select count(*) as n from u where u.w > t.v) s",
        &["1|3", "2|1", "3|0", "4|0", "5|3"],
    ),
    (
        "select id, (select sum(w) from u where u.id = t.id group by u.id) from t",
        &["1|20", "2|20", "3|30", "4|-", "5|-"],
    ),
    (
        "select id, (select count(*) from (select distinct h from u where u.w <= t.v)) from t",
        &["1|2", "2|3", "3|0", "4|4", "5|2"],
    ),
    (
        "select id, (select (select max(w) from u where u.id = t.id and u.w < s.v) from t s where s.id = t.id) from t",
        &["1|5", "2|-", "3|-", "4|-", "5|-"],
    ),
    ("select sum((select count(*) from u where u.id = t.id)) from t", &["4"]),
    (
        "select id, (select min(a) from (select w as a from u where u.id = t.id union all select t.v)) from t",
        &["1|5", "2|20", "3|30", "4|40", "5|10"],
    ),
    ("select g, (select count(*) from u where u.h = t.g) from t group by g", &["-|0", "x|3", "y|1", "z|1"]),
    (
        "select id, (select sum(x) from (select unnest(make_array(t.id, t.v)) as x)) from t",
        &["1|11", "2|22", "3|3", "4|44", "5|15"],
    ),
    ("select id, (select w from u where u.id = 1 and w > 10) from t", &["1|15", "2|15", "3|15", "4|15", "5|15"]),
    (
        "select id, (select u.w + s.w from u join u s on u.id = s.id where u.id = t.id and u.w < s.w) from t",
        &["1|20", "2|-", "3|-", "4|-", "5|-"],
    ),
    (
        "select id, case when exists (select 1 from u where u.id = t.id) then 'in' else 'out' end from t",
        &["1|in", "2|in", "3|in", "4|out", "5|out"],
    ),
    ("select id from t where exists (select 1 from u where u.id < t.id having count(*) > 1)", &["2", "3", "4", "5"]),
];

/// The same, with a number of rows for each row: these need window functions.
const LIMITED: &[(&str, &[&str])] = &[
    (
        "select id, (select w from u where u.id = t.id order by w desc limit 1) from t",
        &["1|15", "2|20", "3|30", "4|-", "5|-"],
    ),
    (
        "select t.id, s.w from t, lateral (select w from u where u.id = t.id order by w limit 1) s",
        &["1|5", "2|20", "3|30"],
    ),
    (
        "select t.id, s.w from t left join lateral (select w from u where u.w > t.v order by w limit 2) s on true",
        &["1|15", "1|20", "2|30", "3|-", "4|-", "5|15", "5|20"],
    ),
];

#[test]
fn answers_are_those_of_duckdb() {
    for session in sessions() {
        for (sql, rows) in CASES {
            assert_eq!(ask_sorted(&session, &format!("{TABLES} {sql}")), *rows, "{sql}");
        }
    }
}

#[test]
fn so_many_rows_for_each_row() {
    for session in sessions() {
        for (sql, rows) in LIMITED {
            assert_eq!(ask_sorted(&session, &format!("{TABLES} {sql}")), *rows, "{sql}");
        }
    }
}

#[test]
fn in_order_by() {
    for session in sessions() {
        let sql = "select id from t order by (select coalesce(max(w), 0) from u where u.id = t.id), id";
        assert_eq!(ask(&session, &format!("{TABLES} {sql}")), ["4", "5", "1", "2", "3"]);
    }
}

#[test]
fn more_than_one_row_is_an_error() {
    for session in sessions() {
        let many = "select id, (select w from u where u.id = t.id) from t";
        assert!(error(&session, &format!("{TABLES} {many}")).contains("more than one row"));
    }
}
