//! Distinct aggregates and quantiles in SQL against a slow oracle, on both pools, with much and with little memory.

use super::Session;
use crate::config::Tuning;
use arrow::util::display::array_value_to_string;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// A key, a number and a number with a fraction of each row; a letter follows from the number.
type Row = (u64, Option<i64>, f64);

fn rows(n: u64) -> Vec<Row> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    };
    let mut row = || {
        let key = if next() % 3 == 0 { 0 } else { next() % 50 };
        (key, (next() % 6 != 0).then(|| (next() % 700) as i64), (next() % 4000) as f64 / 16.0)
    };
    (0..n).map(|_| row()).collect()
}

fn csv(rows: &[Row]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let mut text = String::from("k,v,x,t\n");
    for (k, v, x) in rows {
        let v = v.map_or(String::new(), |v| v.to_string());
        text += &format!("{k},{v},{x:.4},letter {}\n", k * 3 % 11);
    }
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    (list[(list.len() - 1) / 2] + list[list.len() / 2]) / 2.0
}

fn quarter(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    let at = 0.25 * (list.len() - 1) as f64;
    let (low, high) = (list[at.floor() as usize], list[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

fn expected(rows: &[&Row]) -> Vec<f64> {
    let v: Vec<i64> = rows.iter().filter_map(|r| r.1).collect();
    let distinct: BTreeSet<i64> = v.iter().copied().collect();
    let high: BTreeSet<i64> = rows.iter().filter(|r| r.2 > 100.0).filter_map(|r| r.1).collect();
    let x: Vec<f64> = rows.iter().map(|r| r.2).collect();
    let letters: BTreeSet<u64> = rows.iter().map(|r| r.0 * 3 % 11).collect();
    vec![
        rows.len() as f64,
        rows.len() as f64,
        v.iter().sum::<i64>() as f64,
        distinct.len() as f64,
        distinct.iter().sum::<i64>() as f64,
        letters.len() as f64,
        high.len() as f64,
        median(x.clone()),
        x.iter().sum::<f64>() / x.len() as f64,
        quarter(x),
        rows.iter().filter(|r| r.0 > 5).count() as f64,
    ]
}

const SELECT: &str = "count(*), count(k), sum(v), count(distinct v), sum(distinct v), count(distinct t), \
    count(distinct v) filter (where x > 100), median(x), avg(x), percentile_cont(x, 0.25), count(k) filter (where k > 5)";

fn ask(session: &Session, sql: &str) -> Vec<Vec<f64>> {
    let batches = session.sql(sql).unwrap().collect().unwrap();
    let rows = batches.iter().flat_map(|b| {
        (0..b.num_rows()).map(|r| {
            let cells = b.columns().iter().map(|c| array_value_to_string(c, r).unwrap());
            cells.map(|c| c.parse().unwrap_or(f64::NAN)).collect::<Vec<f64>>()
        })
    });
    rows.collect()
}

fn agree(session: &Session, path: &str, rows: &[Row]) {
    let mut by_key: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|r| by_key.entry(r.0).or_default().push(r));
    let mut got = ask(session, &format!("select k, {SELECT} from '{path}' group by k"));
    got.sort_by(|a, b| a[0].total_cmp(&b[0]));
    assert_eq!(got.len(), by_key.len());
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    for ((key, rows), got) in by_key.iter().zip(&got) {
        assert!(got[0] == *key as f64 && near(&got[1..], &expected(rows)), "{key}: {got:?}, not {:?}", expected(rows));
    }
    let all: Vec<&Row> = rows.iter().collect();
    let got = ask(session, &format!("select {SELECT} from '{path}'"));
    assert!(got.len() == 1 && near(&got[0], &expected(&all)), "{got:?}, not {:?}", expected(&all));
}

#[test]
fn distinct_and_quantiles_beside_other_aggregates() {
    let rows = rows(200_000);
    let file = csv(&rows);
    let path = file.path().to_str().unwrap();
    let small = Tuning {
        page_bytes: Some(4096),
        radix_bits: Some(2),
        preaggregate_slots: 64,
        batch_rows: 500,
        batch_bytes: 1 << 14,
        split_bytes: 1 << 16,
        ..Tuning::default()
    };
    for inline in [true, false] {
        let roomy = Session::builder().memory("256MiB").unwrap().threads(2).inline(inline).build().unwrap();
        agree(&roomy, path, &rows);
        let starved = Session::builder().memory("8MiB").unwrap().threads(2).inline(inline).tuning(small.clone());
        let starved = starved.build().unwrap();
        agree(&starved, path, &rows);
        assert!(starved.stats().scratch_written > 0, "nothing was spilled");
    }
}

#[test]
fn nothing_and_nulls() {
    let session = Session::builder().memory("64MiB").unwrap().inline(true).build().unwrap();
    let none = "(select 1 as a, 2.0 as x) t where a > 1";
    let got = ask(&session, &format!("select count(*), count(distinct a), sum(distinct a + 1), median(x) from {none}"));
    assert!(got.len() == 1 && got[0][..2] == [0.0, 0.0] && got[0][2].is_nan() && got[0][3].is_nan(), "{got:?}");
    let e = session.sql("select percentile_cont(x, 1.5) from (values (1.0)) v(x)").and_then(|f| f.collect()).err();
    assert!(e.is_some(), "a share above 1");
}
