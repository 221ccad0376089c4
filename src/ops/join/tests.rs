//! Every kind of join against nested loops, with budgets that keep all, some or none of the build side in memory.

use crate::config::Tuning;
use crate::error::ErrorKind;
use crate::frame::{Outcome, Session};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
struct Row {
    a: Option<i64>,
    f: Option<f64>,
    s: Option<String>,
    v: i64,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Rows whose keys are among about `keys`, or nearly all one.
fn rows(seed: u64, count: usize, keys: u64, giant: bool) -> Vec<Row> {
    let mut random = Random(seed * 7919 + 1);
    let row = |v: usize| {
        let k = if giant && random.below(10) > 0 { 0 } else { random.below(keys) };
        let floats = [0.0, -0.0, f64::NAN, f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 5)];
        let f = floats.get(k as usize).copied().unwrap_or(k as f64 / 2.0);
        Row {
            a: (random.below(9) > 0).then_some(k as i64),
            f: (random.below(9) > 0).then_some(f),
            s: (random.below(9) > 0).then(|| "text".repeat(k as usize % 7) + &k.to_string()),
            v: v as i64,
        }
    };
    (0..count).map(row).collect()
}

fn write(rows: &[Row], path: &std::path::Path) {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.a)))),
        ("f", Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.f)))),
        ("s", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.s.as_deref())))),
        ("v", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.v)))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(1000)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

struct Tables {
    left: Vec<Row>,
    right: Vec<Row>,
    dir: tempfile::TempDir,
}

impl Tables {
    fn new(left: Vec<Row>, right: Vec<Row>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(&left, &dir.path().join("l.parquet"));
        write(&right, &dir.path().join("r.parquet"));
        Tables { left, right, dir }
    }

    fn session(&self, run: &Run) -> Session {
        let tuning = Tuning {
            batch_rows: run.batch,
            batch_bytes: 32 << 10,
            page_bytes: Some(4096),
            radix_bits: Some(run.bits),
            hash_mask: run.mask,
            broadcast_bytes: run.broadcast,
            recursion_limit: run.recursion,
            result_queue_bytes: 64 << 10,
            ..Tuning::default()
        };
        let builder = Session::builder().memory(run.memory).unwrap().threads(run.threads).tuning(tuning);
        let session = builder.inline(run.inline).build().unwrap();
        for name in ["l", "r"] {
            let path = self.dir.path().join(format!("{name}.parquet"));
            session.register_file(name, path.to_str().unwrap()).unwrap();
        }
        session
    }

    fn check(&self, run: &Run, sql: &str, expected: &[String]) {
        let session = self.session(run);
        let batches = session.sql(sql).and_then(|f| f.collect()).unwrap_or_else(|e| panic!("{sql} with {run:?}: {e}"));
        let mut found = Vec::new();
        for batch in &batches {
            let options = FormatOptions::default().with_null("-");
            let columns: Vec<_> =
                batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                found.push(columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join(" "));
            }
        }
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        let first = found.iter().zip(&expected).find(|(a, b)| a != b);
        assert!(
            found == expected,
            "{sql} with {run:?}: {} rows, expected {}; first difference {first:?}",
            found.len(),
            expected.len()
        );
        let wide = sql.starts_with("select l.v, l.a, l.s, r.v");
        assert!(
            !(run.spills && wide) || session.stats().scratch_written > 0,
            "{sql} with {run:?} did not need scratch"
        );
    }
}

#[derive(Clone, Debug)]
struct Run {
    memory: usize,
    bits: u32,
    mask: u64,
    batch: usize,
    broadcast: usize,
    recursion: u32,
    threads: usize,
    inline: bool,
    /// Whether scratch must be needed.
    spills: bool,
}

const ROOMY: Run = Run {
    memory: 64 << 20,
    bits: 2,
    mask: u64::MAX,
    batch: 8192,
    broadcast: 1 << 20,
    recursion: 6,
    threads: 2,
    inline: true,
    spills: false,
};

/// The text of a key, where both sides' are not null; equal texts are equal keys.
type KeyOf = fn(&Row) -> Option<String>;
const KEYS: [(&str, KeyOf); 4] = [
    ("l.a = r.a", |r| r.a.map(|a| a.to_string())),
    ("l.f = r.f", |r| r.f.map(|f| if f.is_nan() { "nan".into() } else { (f + 0.0).to_string() })),
    ("l.s = r.s", |r| r.s.clone()),
    ("l.a + 1 = r.a + 1 and l.s = r.s", |r| r.a.zip(r.s.clone()).map(|(a, s)| format!("{a} {s}"))),
];

fn residual(l: &Row, r: &Row) -> bool {
    l.v % 7 < r.v % 5
}

fn show(row: &Row) -> String {
    let text = |x: Option<String>| x.unwrap_or("-".into());
    format!("{} {} {}", row.v, text(row.a.map(|a| a.to_string())), text(row.s.clone()))
}

/// All kinds of joins of `tables` on one key, with or without a residual condition.
fn check_kinds(tables: &Tables, run: &Run, key: usize, with_residual: bool) {
    let (on, of) = KEYS[key];
    let on = if with_residual { format!("{on} and l.v % 7 < r.v % 5") } else { on.to_string() };
    let mut by_key: std::collections::HashMap<String, Vec<usize>> = Default::default();
    for (i, r) in tables.right.iter().enumerate() {
        by_key.entry(of(r).unwrap_or("\0null".into())).or_default().push(i);
    }
    let mut right_met = vec![false; tables.right.len()];
    let (mut inner, mut left_semi, mut left_anti, mut left_only) = (vec![], vec![], vec![], vec![]);
    for l in &tables.left {
        let mut met = false;
        for i in of(l).and_then(|k| by_key.get(&k)).into_iter().flatten() {
            let r = &tables.right[*i];
            if !with_residual || residual(l, r) {
                met = true;
                right_met[*i] = true;
                inner.push(format!("{} {}", show(l), show(r)));
            }
        }
        let to = if met { &mut left_semi } else { &mut left_anti };
        to.push(show(l));
        if !met {
            left_only.push(format!("{} - - -", show(l)));
        }
    }
    let (mut right_semi, mut right_anti, mut right_only) = (vec![], vec![], vec![]);
    for (r, met) in tables.right.iter().zip(right_met) {
        if met {
            right_semi.push(show(r))
        } else {
            right_anti.push(show(r))
        }
        if !met {
            right_only.push(format!("- - - {}", show(r)));
        }
    }
    let both = "select l.v, l.a, l.s, r.v, r.a, r.s from l";
    let with = |more: &[&Vec<String>]| more.iter().flat_map(|m| m.iter().cloned()).collect::<Vec<_>>();
    tables.check(run, &format!("{both} join r on {on}"), &inner);
    tables.check(run, &format!("{both} left join r on {on}"), &with(&[&inner, &left_only]));
    tables.check(run, &format!("{both} right join r on {on}"), &with(&[&inner, &right_only]));
    tables.check(run, &format!("{both} full join r on {on}"), &with(&[&inner, &left_only, &right_only]));
    let (l, r) = ("select l.v, l.a, l.s from l", "select r.v, r.a, r.s from l");
    tables.check(run, &format!("{l} left semi join r on {on}"), &left_semi);
    tables.check(run, &format!("{l} left anti join r on {on}"), &left_anti);
    tables.check(run, &format!("{r} right semi join r on {on}"), &right_semi);
    tables.check(run, &format!("{r} right anti join r on {on}"), &right_anti);
    // Not an alternative that is a join of its own: the subquery becomes a mark.
    let marked: Vec<String> =
        left_anti.iter().chain(left_semi.iter().filter(|l| l.starts_with("1 "))).cloned().collect();
    let exists = format!("{l} where not exists (select 1 from r where {on}) or l.v = 1");
    tables.check(run, &exists, &marked);
}

fn small(seed: u64) -> [Tables; 3] {
    [
        Tables::new(rows(seed, 300, 60, false), rows(seed + 1, 200, 60, false)),
        Tables::new(rows(seed, 100, 40, true), rows(seed + 1, 300, 40, false)),
        Tables::new(rows(seed, 50, 40, false), vec![]),
    ]
}

#[test]
fn every_kind_in_memory() {
    for tables in small(1) {
        for key in 0..KEYS.len() {
            check_kinds(&tables, &Run { batch: [8192, 7, 100, 33][key], ..ROOMY }, key, key % 2 == 0);
            check_kinds(&tables, &Run { broadcast: 0, bits: 3, ..ROOMY }, key, key % 2 == 1);
        }
    }
}

#[test]
fn equal_hashes_are_told_apart() {
    for tables in small(3) {
        check_kinds(&tables, &Run { mask: 0, broadcast: 0, ..ROOMY }, 2, true);
        check_kinds(&tables, &Run { mask: 0, ..ROOMY }, 0, false);
    }
}

const STARVED: Run = Run { memory: 640 << 10, broadcast: 0, batch: 512, spills: true, ..ROOMY };

/// Large sides, with many keys or with one giant key on the side that is built.
fn large(giant: bool) -> Tables {
    Tables::new(rows(5, 8000, 3000, giant), rows(6, 9000, 3000, false))
}

#[test]
fn every_kind_from_scratch() {
    for giant in [false, true] {
        let tables = large(giant);
        check_kinds(&tables, &STARVED, 2, giant);
        check_kinds(&tables, &Run { recursion: 0, bits: 0, ..STARVED }, 3, !giant);
        check_kinds(&tables, &Run { inline: false, bits: 0, ..STARVED }, 0, !giant);
        check_kinds(&tables, &Run { threads: 1, bits: 0, ..STARVED }, 1, giant);
    }
}

#[test]
fn large_partitions_are_divided() {
    let mut divided = Vec::new();
    for (giant, mask) in [(false, u64::MAX), (true, u64::MAX)] {
        // Both sides are several times what a task may hold.
        let tables = Tables::new(rows(5, 40_000, 15_000, giant), rows(6, 45_000, 15_000, false));
        let session = tables.session(&Run { bits: 0, mask, ..STARVED });
        let statements =
            session.statements("explain analyze select count(l.s), count(r.s) from l join r on l.s = r.s").unwrap();
        let Outcome::Rows(plan) = session.run(&statements[0]).unwrap() else { panic!("a plan has rows") };
        let plan: Vec<String> = plan.map(|b| format!("{:?}", b.unwrap())).collect();
        assert!(plan.concat().contains("joined from scratch"), "{plan:?}");
        divided.push(plan.concat().contains("divided again"));
    }
    assert!(divided.contains(&true), "{divided:?}");
}

#[test]
fn a_null_in_the_list_makes_not_in_unknown() {
    let (some, none): (Vec<Row>, Vec<Row>) = rows(9, 400, 90, false).into_iter().partition(|r| r.a.is_some());
    let left = rows(8, 300, 300, false);
    let list: Vec<Option<i64>> = some.iter().map(|r| r.a).collect();
    let out = left.iter().filter(|l| l.a.is_some() && !list.contains(&l.a)).map(show).collect::<Vec<_>>();
    let sql = "select l.v, l.a, l.s from l where l.a not in (select r.a from r)";
    for run in [ROOMY, Run { broadcast: 0, ..ROOMY }] {
        Tables::new(left.clone(), some.clone()).check(&run, sql, &out);
        Tables::new(left.clone(), none.clone()).check(&run, sql, &[]);
        Tables::new(left.clone(), vec![]).check(&run, sql, &left.iter().map(show).collect::<Vec<_>>());
    }
}

#[test]
fn joins_without_keys() {
    let tables = Tables::new(rows(11, 60, 30, false), rows(12, 70, 30, false));
    let pairs = |test: fn(&Row, &Row) -> bool| {
        let pairs = tables.left.iter().flat_map(|l| tables.right.iter().map(move |r| (l, r)));
        pairs.filter(|(l, r)| test(l, r)).map(|(l, r)| format!("{} {}", l.v, r.v)).collect::<Vec<_>>()
    };
    for run in [ROOMY, Run { batch: 10, ..ROOMY }] {
        tables.check(&run, "select l.v, r.v from l cross join r", &pairs(|_, _| true));
        tables.check(&run, "select l.v, r.v from l join r on l.v < r.v", &pairs(|l, r| l.v < r.v));
    }
}

#[test]
fn joins_of_joins_and_unions() {
    let tables = Tables::new(rows(21, 700, 300, false), rows(22, 600, 300, false));
    let count = |test: &dyn Fn(&Row, &Row, &Row) -> bool| {
        let (l, r) = (&tables.left, &tables.right);
        let mut n = 0;
        for a in l {
            for b in r.iter().filter(|b| a.a.is_some() && a.a == b.a) {
                n += l.iter().filter(|c| test(a, b, c)).count();
            }
        }
        n
    };
    let three = count(&|_, b, c| b.s.is_some() && b.s == c.s);
    for run in [ROOMY, Run { memory: 900 << 10, broadcast: 0, batch: 512, ..ROOMY }] {
        let sql = "select count(*) from l join r on l.a = r.a join l c on r.s = c.s";
        tables.check(&run, sql, &[three.to_string()]);
        let sql = "select count(*) from (select l.v from l join r on l.a = r.a join l c on r.s = c.s union all \
                   select l.v from l join r on l.a = r.a join l c on r.s = c.s) x join r on x.v = r.v * 1000";
        let zero = count(&|a, b, c| a.v == 0 && b.s.is_some() && b.s == c.s);
        tables.check(&run, sql, &[(2 * zero).to_string()]);
    }
}

#[test]
fn overflow_in_a_key_is_an_error() {
    let tables = Tables::new(rows(1, 10, 5, false), rows(2, 10, 5, false));
    let session = tables.session(&ROOMY);
    let sql = "select l.v from l join r on l.a * 9223372036854775807 = r.a";
    let error = session.sql(sql).and_then(|f| f.collect()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Query, "{error}");
}
