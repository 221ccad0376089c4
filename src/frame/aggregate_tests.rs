//! Aggregates that go by the input's order, that see all values of a group, and grouping sets: in SQL against a slow
//! oracle, on both pools, with much and with little memory; and small answers, which are DuckDB's.

use super::Session;
use crate::config::Tuning;
use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

#[derive(Clone, Debug)]
struct Row {
    key: u64,
    id: u64,
    value: Option<i64>,
    text: Option<String>,
    x: i64,
}

fn rows(n: u64, keys: u64) -> Vec<Row> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    };
    let mut row = |id| Row {
        key: if next() % 4 == 0 { 0 } else { next() % keys },
        id,
        value: (next() % 5 != 0).then(|| (next() % 9) as i64 - 4),
        text: (next() % 5 != 0).then(|| ["c", "a", "bb", "é", "a text that is not short"][next() as usize % 5].into()),
        x: (next() % 40) as i64,
    };
    (0..n).map(&mut row).collect()
}

fn csv(rows: &[Row]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let mut text = String::from("k,id,v,t,x\n");
    for row in rows {
        let value = row.value.map_or(String::new(), |v| v.to_string());
        let t = row.text.as_ref().map_or(String::new(), |t| format!("\"{t}\""));
        text += &format!("{},{},{value},{t},{}\n", row.key, row.id, row.x);
    }
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn session(memory: &str, inline: bool, small: bool) -> Session {
    let tuning = Tuning {
        page_bytes: Some(4096),
        radix_bits: Some(2),
        preaggregate_slots: 64,
        batch_rows: 300,
        batch_bytes: 1 << 14,
        split_bytes: 1 << 16,
        merge_fan_in: 4,
        ..Tuning::default()
    };
    let builder = Session::builder().memory(memory).unwrap().threads(2).inline(inline);
    if small { builder.tuning(tuning).build().unwrap() } else { builder.build().unwrap() }
}

fn ask(session: &Session, sql: &str) -> Vec<Vec<String>> {
    let batches = session.sql(sql).and_then(|f| f.collect()).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let cell =
        |c: &arrow::array::ArrayRef, r| if c.is_null(r) { "NULL".into() } else { array_value_to_string(c, r).unwrap() };
    let rows =
        batches.iter().flat_map(|b| (0..b.num_rows()).map(move |r| b.columns().iter().map(|c| cell(c, r)).collect()));
    rows.collect()
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or("NULL".into(), |v| v.to_string())
}

fn list<T: ToString>(values: impl IntoIterator<Item = Option<T>>) -> String {
    let values: Vec<String> = values.into_iter().map(|v| v.map_or(String::new(), |v| v.to_string())).collect();
    if values.is_empty() { "NULL".into() } else { format!("[{}]", values.join(", ")) }
}

fn joined<'a>(texts: impl Iterator<Item = &'a String>, separator: &str) -> String {
    let texts: Vec<&str> = texts.map(String::as_str).collect();
    if texts.is_empty() { "NULL".into() } else { texts.join(separator) }
}

/// A column of a query, and what it should be of rows in the input's order.
type Column = (&'static str, fn(&[&Row]) -> String);

const SELECT: [Column; 22] = [
    ("list(v)", |r| list(r.iter().map(|r| r.value))),
    ("string_agg(t, '|')", |r| joined(r.iter().filter_map(|r| r.text.as_ref()), "|")),
    ("string_agg(distinct t, ',' order by t desc)", |r| {
        let texts: BTreeSet<&String> = r.iter().filter_map(|r| r.text.as_ref()).collect();
        joined(texts.into_iter().rev(), ",")
    }),
    ("array_agg(v order by x desc, t nulls first)", |r| {
        let mut r = r.to_vec();
        r.sort_by(|a, b| b.x.cmp(&a.x).then(a.text.cmp(&b.text)));
        list(r.iter().map(|r| r.value))
    }),
    ("list(distinct v order by v)", |r| {
        let values: BTreeSet<_> = r.iter().map(|r| (r.value.is_none(), r.value)).collect();
        list(values.into_iter().map(|(_, v)| v))
    }),
    ("list(id) filter (where x > 36)", |r| list(r.iter().filter(|r| r.x > 36).map(|r| Some(r.id)))),
    ("first(v)", |r| text(r[0].value)),
    ("last(t)", |r| text(r[r.len() - 1].text.clone())),
    ("any_value(v)", |r| text(r.iter().find_map(|r| r.value))),
    ("first(id order by x desc, t)", |r| {
        text(r.iter().min_by_key(|r| (-r.x, r.text.is_none(), r.text.clone(), r.id)).map(|r| r.id))
    }),
    ("last(id order by x)", |r| text(r.iter().max_by_key(|r| (r.x, r.id)).map(|r| r.id))),
    ("arg_min(t, x)", |r| {
        text(r.iter().filter(|r| r.text.is_some()).min_by_key(|r| (r.x, r.id)).and_then(|r| r.text.clone()))
    }),
    ("max_by(id, v) filter (where x < 30)", |r| {
        text(r.iter().filter(|r| r.x < 30 && r.value.is_some()).max_by_key(|r| (r.value, -(r.id as i64))).map(|r| r.id))
    }),
    ("mode(v)", |r| {
        let mut counts: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (i, v) in r.iter().enumerate().filter_map(|(i, r)| r.value.map(|v| (i as i64, v))) {
            counts.entry(v).or_insert((0, -i)).0 += 1;
        }
        text(counts.into_iter().max_by_key(|(_, c)| *c).map(|(v, _)| v))
    }),
    ("histogram(v)", |r| {
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        r.iter().filter_map(|r| r.value).for_each(|v| *counts.entry(v).or_default() += 1);
        let entries: Vec<String> = counts.iter().map(|(v, n)| format!("{v}: {n}")).collect();
        if entries.is_empty() { "NULL".into() } else { format!("{{{}}}", entries.join(", ")) }
    }),
    ("max(v, 3)", |r| {
        let mut values: Vec<i64> = r.iter().filter_map(|r| r.value).collect();
        values.sort_by(|a, b| b.cmp(a));
        list(values.into_iter().take(3).map(Some))
    }),
    ("arg_min(id, x, 2)", |r| {
        let mut r = r.to_vec();
        r.sort_by_key(|r| (r.x, r.id));
        list(r.iter().take(2).map(|r| Some(r.id)))
    }),
    ("quantile_disc(t, 0.5)", |r| {
        let mut texts: Vec<&String> = r.iter().filter_map(|r| r.text.as_ref()).collect();
        texts.sort();
        text(texts.get((texts.len().max(1) - 1) / 2))
    }),
    ("nth_value(v, 3)", |r| text(r.get(2).and_then(|r| r.value))),
    ("count(distinct v)", |r| r.iter().filter_map(|r| r.value).collect::<BTreeSet<_>>().len().to_string()),
    ("sum(x)", |r| r.iter().map(|r| r.x).sum::<i64>().to_string()),
    ("min(list_x)", |r| {
        list(r.iter().map(|r| (r.x, r.id % 3)).min().map(|(x, id)| [Some(x), Some(id as i64)]).unwrap())
    }),
];

fn agree(session: &Session, path: &str, rows: &[Row]) {
    let mut by_key: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|r| by_key.entry(r.key).or_default().push(r));
    let from = format!("(select *, make_array(x, id % 3) as list_x from '{path}') s");
    // All at one time, each alone, and without keys.
    let all = SELECT.map(|(sql, _)| sql).join(", ");
    let got = ask(session, &format!("select k, {all} from {from} group by k order by k"));
    assert_eq!(got.len(), by_key.len());
    for ((key, rows), got) in by_key.iter().zip(&got) {
        assert_eq!(got[0], key.to_string());
        for ((sql, expected), got) in SELECT.iter().zip(&got[1..]) {
            assert_eq!(*got, expected(rows), "{sql} of key {key}");
        }
    }
    let rows: Vec<&Row> = rows.iter().collect();
    for (sql, expected) in SELECT {
        let got = ask(session, &format!("select k, {sql} from {from} group by k order by k"));
        let expected_by_key: Vec<Vec<String>> = by_key.iter().map(|(k, r)| vec![k.to_string(), expected(r)]).collect();
        assert_eq!(got, expected_by_key, "{sql} by key");
        assert_eq!(ask(session, &format!("select {sql} from {from}")), [[expected(&rows)]], "{sql}");
    }
}

#[test]
fn ordered_aggregates_agree_with_a_slow_evaluator() {
    let rows = rows(6_000, 400);
    let file = csv(&rows);
    let path = file.path().to_str().unwrap();
    for inline in [true, false] {
        agree(&session("256MiB", inline, false), path, &rows);
        agree(&session("256MiB", inline, true), path, &rows);
    }
}

#[test]
fn ordered_aggregates_agree_in_little_memory() {
    let rows = rows(120_000, 6_000);
    let file = csv(&rows);
    let path = file.path().to_str().unwrap();
    let some = [0, 1, 3, 6, 10, 13, 14, 19].map(|i| SELECT[i]);
    let mut by_key: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|r| by_key.entry(r.key).or_default().push(r));
    for inline in [true, false] {
        let starved = session("10MiB", inline, true);
        for (sql, expected) in some {
            let got = ask(&starved, &format!("select k, {sql} from '{path}' group by k order by k"));
            let wanted: Vec<Vec<String>> = by_key.iter().map(|(k, r)| vec![k.to_string(), expected(r)]).collect();
            assert!(got == wanted, "{sql}");
        }
        assert!(starved.stats().scratch_written > 0, "nothing was spilled");
    }
}

#[test]
fn a_value_that_is_larger_than_memory_is_an_error_and_not_a_breach() {
    let rows = rows(200_000, 3);
    let file = csv(&rows);
    let path = file.path().to_str().unwrap();
    let starved = session("4MiB", true, true);
    let e = starved.sql(&format!("select string_agg(t || 'long enough to matter', '-') from '{path}'"));
    let e = e.and_then(|f| f.collect()).unwrap_err();
    assert_eq!(e.kind(), crate::ErrorKind::Resources, "{e}");
}

const TABLE: &str = "(values (1, 'a', 3.5, date '2020-01-01'), (1, 'b', 1.5, date '2020-01-02'), (2, 'a', null, null), \
    (2, null, 2.0, date '2020-01-05'), (1, 'b', 7.25, date '2020-02-01')) t(k, s, x, d)";

#[test]
fn answers_are_those_of_duckdb() {
    let session = session("64MiB", true, false);
    let cases = [
        ("first(x), last(x), any_value(x), first(x order by d), arbitrary(s)", "3.5 7.25 3.5 3.5 a"),
        ("last(x order by d)", "NULL"),
        ("arg_min(s, x), arg_max(s, x), arg_max(s, x, 2), min(x, 2), max(x, 2)", "b b [b, a] [1.5, 2.0] [7.25, 3.5]"),
        ("histogram(s), histogram(k)", "{a: 2, b: 2} {1: 3, 2: 2}"),
        ("entropy(s), mad(x), sem(x)", "1.0 1.0 1.1263013306837562"),
        (
            "round(kurtosis(x), 9), round(skewness(x), 9), round(kurtosis_pop(x), 9)",
            "1.716346026 1.422618404 -0.971153863",
        ),
        ("product(x), count_if(x > 2), countif(x > 20), sum(x > 2), fsum(x), favg(x)", "76.125 2 0 2 14.25 3.5625"),
        (
            "quantile(x, 0.5), quantile_disc(x, 0.5), quantile_cont(x, 0.5), median(s), quantile_disc(s, 0.5)",
            "2.0 2.0 2.75 a a",
        ),
        (
            "quantile_cont(x, [0.25, 0.5]), quantile(x, [0.25, 0.5]), quantile_disc(s, [0.1, 0.9])",
            "[1.875, 2.75] [1.5, 2.0] [a, b]",
        ),
        ("quantile_cont(x, -0.25), quantile_disc(x, -0.25)", "4.4375 7.25"),
        (
            "median(d), quantile_cont(d, 0.3), quantile_disc(d, 0.5)",
            "2020-01-03T12:00:00 2020-01-01T21:36:00 2020-01-02",
        ),
        ("median(k), quantile_cont(k, 0.5), quantile_disc(k, 0.5)", "1.0 1.0 1"),
        (
            "percentile_cont(0.5) within group (order by x), percentile_disc(0.25) within group (order by x desc)",
            "2.75 7.25",
        ),
        ("mode() within group (order by k)", "1"),
        (
            "string_agg(s), string_agg(s, '-'), group_concat(s, ';' order by x), listagg(s)",
            "a,b,a,b a-b-a-b b;a;b;a a,b,a,b",
        ),
        (
            "string_agg(distinct s, ',' order by s desc), string_agg(k, '|'), string_agg(s, null), string_agg(distinct k, '' order by k desc)",
            "b,a 1|1|2|2|1 NULL 21",
        ),
        ("list(x), array_agg(s order by x desc nulls first)", "[3.5, 1.5, , 2.0, 7.25] [a, b, a, , b]"),
        ("list(x) filter (where x > 2), list(x) filter (where x > 200)", "[3.5, 7.25] NULL"),
        ("approx_count_distinct(s), approx_quantile(k, 0.5), approx_top_k(k, 1)", "2 1 [1]"),
        (
            "regr_count(x, k), regr_avgx(x, k), regr_avgy(x, k), regr_sxx(x, k), round(regr_syy(x, k), 9)",
            "4 1.25 3.5625 0.75 20.296875",
        ),
        (
            "round(regr_slope(x, k), 9), round(regr_intercept(x, k), 9), round(regr_r2(x, k), 9)",
            "-2.083333333 6.166666667 0.160379779",
        ),
        ("min([k, k + 1]), min([s]), max({'a': k, 'b': 1})", "[1, 2] [a] {a: 2, b: 1}"),
        ("round(geomean(x), 9), round(geometric_mean(x), 9)", "2.953805035 2.953805035"),
        ("sum(distinct x), avg(distinct k), product(distinct k), count(distinct s)", "14.25 1.5 2.0 2"),
        ("count_star(), count(*) filter (where s = 'a')", "5 2"),
        ("any_value(x order by x desc), arg_max(x, k order by x)", "7.25 2.0"),
        ("arg_min(s, k) filter (where k > 1), arg_min_null(x, s)", "a 3.5"),
    ];
    for (sql, expected) in cases {
        let got = ask(&session, &format!("select {sql} from {TABLE}"));
        assert_eq!(got.iter().map(|r| r.join(" ")).collect::<Vec<_>>(), [expected], "{sql}");
    }
}

#[test]
fn of_no_rows_there_is_nothing() {
    let session = session("64MiB", true, false);
    let sql = "kurtosis(x), skewness(x), sem(x), mad(x), product(x), mode(x), histogram(x), count_if(x > 1), quantile(x, 0.5), \
        list(x), string_agg(s), max(x, 2), arg_max(s, x, 2), first(x), median(s), quantile_cont(x, [0.5]), geomean(x)";
    let got = ask(&session, &format!("select {sql} from {TABLE} where false"));
    assert_eq!(got, [vec!["NULL".to_string(); 17]]);
    let sql = "entropy(x), approx_count_distinct(x), regr_count(x, x)";
    assert_eq!(ask(&session, &format!("select {sql} from {TABLE} where false")), [["0.0", "0", "0"]]);
    assert!(ask(&session, &format!("select k, list(x), first(x) from {TABLE} where false group by k")).is_empty());
}

#[test]
fn grouping_sets_have_a_row_for_each_set_of_keys() {
    let session = session("64MiB", true, false);
    let got = |sql: &str| {
        let mut rows: Vec<String> = ask(&session, sql).into_iter().map(|r| r.join(" ")).collect();
        rows.sort();
        rows
    };
    let cube = "select k, s, count(*), grouping(k, s), grouping_id(k), sum(k), string_agg(s, '') from";
    assert_eq!(
        got(&format!("{cube} {TABLE} group by cube(k, s)")),
        [
            "1 NULL 3 1 0 3 abb",
            "1 a 1 0 0 1 a",
            "1 b 2 0 0 2 bb",
            "2 NULL 1 0 0 2 NULL",
            "2 NULL 2 1 0 4 a",
            "2 a 1 0 0 2 a",
            "NULL NULL 1 2 1 2 NULL",
            "NULL NULL 5 3 1 7 abab",
            "NULL a 2 2 1 3 aa",
            "NULL b 2 2 1 2 bb",
        ]
    );
    let rollup = "select k, count(distinct s), median(x), first(k) from";
    assert_eq!(got(&format!("{rollup} {TABLE} group by rollup(k)")), ["1 2 3.5 1", "2 1 2.0 2", "NULL 2 2.75 1"]);
    for nothing in ["false", "k > 100"] {
        assert_eq!(got(&format!("{rollup} {TABLE} where {nothing} group by rollup(k)")), ["NULL 0 NULL NULL"]);
    }
    assert_eq!(
        got(&format!("select k, count(*) from {TABLE} where false group by grouping sets ((k), ())")),
        ["NULL 0"]
    );
    assert!(got(&format!("select k, count(*) from {TABLE} where false group by grouping sets ((k), (s))")).is_empty());
    let twice = format!("select k, count(*) from {TABLE} group by grouping sets ((k), (k))");
    assert_eq!(got(&twice), ["1 3", "1 3", "2 2", "2 2"]);
    assert_eq!(got(&format!("select sum(k) from {TABLE} group by rollup(k, s) having grouping(k, s) = 3")), ["7"]);
}

#[test]
fn grouping_sets_agree_in_little_memory() {
    let rows = rows(60_000, 12_000);
    let file = csv(&rows);
    let path = file.path().to_str().unwrap();
    let mut expected: BTreeMap<(String, String), (u64, i64, BTreeSet<i64>)> = BTreeMap::new();
    for row in &rows {
        let (k, v) = (row.key.to_string(), row.value.map_or("none".into(), |v| v.to_string()));
        for key in [(k.clone(), v.clone()), (k, "all".into()), ("all".into(), v), ("all".into(), "all".into())] {
            let group = expected.entry(key).or_default();
            group.0 += 1;
            group.1 += row.x;
            group.2.insert(row.x);
        }
    }
    let sql = format!(
        "select case when grouping(k) = 1 then 'all' else k::varchar end, \
         case when grouping(v) = 1 then 'all' when v is null then 'none' else v::varchar end, \
         count(*), sum(x), count(distinct x) from '{path}' group by cube(k, v)"
    );
    for inline in [true, false] {
        let starved = session("8MiB", inline, true);
        let mut got = ask(&starved, &sql);
        got.sort();
        let row = |((k, v), (n, sum, x)): (&(String, String), &(u64, i64, BTreeSet<i64>))| {
            vec![k.clone(), v.clone(), n.to_string(), sum.to_string(), x.len().to_string()]
        };
        let mut wanted: Vec<Vec<String>> = expected.iter().map(row).collect();
        wanted.sort();
        assert!(got == wanted, "cube");
        assert!(starved.stats().scratch_written > 0, "nothing was spilled");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let session = session("64MiB", true, false);
    let error = |sql: &str| {
        let e = session.sql(&format!("select {sql} from {TABLE}")).and_then(|f| f.collect()).unwrap_err();
        format!("{:?}: {e}", e.kind())
    };
    for (sql, part) in [
        ("max(x, 0)", "greater than 0"),
        ("quantile_cont(x, 1.5)", "between 0 and 1"),
        ("quantile_cont(x, k)", "must be a constant"),
        ("string_agg(distinct s, ',' order by x)", "ordered by its arguments"),
        ("string_agg(s, s)", "separator must be a constant"),
        ("arg_max(x, s, k)", "must be a constant"),
        ("kurtosis(s)", "kurtosis"),
        ("mode(s order by x)", "not supported yet"),
    ] {
        let e = error(sql);
        assert!(e.contains(part), "{sql}: {e}");
    }
}
