//! Windows against a naive evaluation of every row, through SQL, under roomy and starved budgets.

use crate::config::Tuning;
use crate::frame::Session;
use arrow::array::*;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use std::cmp::Ordering;
use std::sync::Arc;

/// How a query is run.
#[derive(Clone, Copy, Debug)]
struct Run {
    memory: usize,
    batch: usize,
    inline: bool,
}

const ROOMY: Run = Run { memory: 256 << 20, batch: 7, inline: true };
const STARVED: Run = Run { memory: 900 << 10, ..ROOMY };

fn session(run: Run) -> Session {
    let tuning = Tuning {
        page_bytes: Some(4096),
        merge_fan_in: 4,
        batch_rows: run.batch,
        batch_bytes: 4 << 10,
        split_bytes: 8 << 10,
        result_queue_bytes: 16 << 10,
        scratch_write_bytes: 4096,
        preaggregate_slots: 64,
        ..Tuning::default()
    };
    let builder = Session::builder().memory(run.memory).unwrap().threads(2).tuning(tuning);
    builder.inline(run.inline).build().unwrap()
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

#[derive(Clone, Debug)]
struct Row {
    id: i64,
    p: Option<i64>,
    o: Option<i64>,
    d: Option<f64>,
    x: Option<i64>,
    f: Option<f64>,
    t: Option<String>,
}

fn rows(count: usize, seed: u64, partitions: u64) -> Vec<Row> {
    let mut r = Random(seed | 1);
    let floats = [0.5, -1.5, 2.25, 1e10, -7.0, 3.0];
    let orders = [0.0, -0.0, 1.5, -2.5, 4.0, f64::NAN, f64::INFINITY, 2.0];
    let some = |r: &mut Random| r.below(6) > 0;
    let row = |id| Row {
        id,
        p: some(&mut r).then(|| r.below(partitions) as i64),
        o: some(&mut r).then(|| r.below(count as u64 / partitions / 2 + 3) as i64 - 3),
        d: some(&mut r).then(|| r.of(&orders)),
        x: some(&mut r).then(|| r.below(40) as i64 - 20),
        f: some(&mut r).then(|| r.of(&floats)),
        t: some(&mut r).then(|| "ab".repeat(r.below(9) as usize) + &r.below(5).to_string()),
    };
    (0..count as i64).map(row).collect()
}

/// A Parquet file of the rows, as a table `t`.
fn table(session: &Session, rows: &[Row]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let field = |name, data_type| Field::new(name, data_type, true);
    let ints = ["id", "p", "o", "x"].map(|n| field(n, DataType::Int64));
    let floats = ["d", "f"].map(|n| field(n, DataType::Float64));
    let schema = Schema::new([&ints[..], &floats[..], &[field("t", DataType::Utf8)]].concat());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.id))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.p))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.o))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.x))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.d))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.f))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.t.clone()))),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let path = dir.path().join("t.parquet");
    let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(300));
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    session.register_file("t", path.to_str().unwrap()).unwrap();
    dir
}

/// A value, of the engine or of the oracle.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Number(f64),
    Text(String),
}

impl Value {
    fn is(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => {
                a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
            }
            _ => false,
        }
    }

    fn number(value: Option<impl Into<f64>>) -> Value {
        value.map_or(Value::Null, |v| Value::Number(v.into()))
    }

    fn int(value: Option<i64>) -> Value {
        Value::number(value.map(|v| v as f64))
    }

    fn text(value: Option<&str>) -> Value {
        value.map_or(Value::Null, |v| Value::Text(v.into()))
    }
}

fn values(column: &ArrayRef) -> Vec<Value> {
    let rows = 0..column.len();
    match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let column = cast(column, &DataType::Utf8View).unwrap();
            let column = column.as_string_view();
            rows.map(|i| Value::text(column.is_valid(i).then(|| column.value(i)))).collect()
        }
        _ => {
            let column = cast(column, &DataType::Float64).unwrap();
            let column = column.as_primitive::<Float64Type>();
            rows.map(|i| Value::number(column.is_valid(i).then(|| column.value(i)))).collect()
        }
    }
}

/// An end of a frame, as SQL has it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    UnboundedPreceding,
    Preceding(i64),
    Current,
    Following(i64),
    UnboundedFollowing,
}

impl Bound {
    fn sql(self) -> String {
        match self {
            Bound::UnboundedPreceding => "UNBOUNDED PRECEDING".into(),
            Bound::Preceding(n) => format!("{n} PRECEDING"),
            Bound::Current => "CURRENT ROW".into(),
            Bound::Following(n) => format!("{n} FOLLOWING"),
            Bound::UnboundedFollowing => "UNBOUNDED FOLLOWING".into(),
        }
    }

    fn offset(self) -> i64 {
        match self {
            Bound::Preceding(n) => -n,
            Bound::Following(n) => n,
            _ => 0,
        }
    }
}

/// A window of a query.
#[derive(Clone, Debug)]
struct Over {
    partitioned: bool,
    /// `o` or `d`, descending, nulls first.
    order: Option<(&'static str, bool, bool)>,
    frame: Option<(&'static str, Bound, Bound)>,
    exclude: &'static str,
}

impl Over {
    fn random(r: &mut Random, wide: i64) -> Over {
        let order = (r.below(5) > 0).then(|| (r.of(&["o", "o", "d"]), r.below(2) == 0, r.below(2) == 0));
        let mut units = vec!["ROWS"];
        if order.is_some() {
            units.extend(["RANGE", "GROUPS"]);
        }
        let n = |r: &mut Random| {
            let most = r.of(&[4, 4, 4, wide as u64 + 1]);
            r.below(most) as i64
        };
        let start = [Bound::UnboundedPreceding, Bound::Preceding(n(r)), Bound::Current, Bound::Following(n(r))];
        let end = [Bound::Preceding(n(r)), Bound::Current, Bound::Following(n(r)), Bound::UnboundedFollowing];
        let ends = loop {
            let (start, end) = (r.of(&start), r.of(&end));
            let backwards = matches!(
                (start, end),
                (Bound::Current, Bound::Preceding(_)) | (Bound::Following(_), Bound::Preceding(_) | Bound::Current)
            );
            if !backwards {
                break (start, end);
            }
        };
        let frame = (r.below(5) > 0).then(|| (r.of(&units), ends.0, ends.1));
        let forms = ["", "", "EXCLUDE CURRENT ROW", "EXCLUDE GROUP", "EXCLUDE TIES", "EXCLUDE NO OTHERS"];
        let exclude = if frame.is_some() { r.of(&forms) } else { "" };
        Over { partitioned: r.below(3) > 0, order, frame, exclude }
    }

    fn sql(&self) -> String {
        let partition = if self.partitioned { "PARTITION BY p " } else { "" };
        let order = self.order.map_or(String::new(), |(name, descending, first)| {
            let (order, nulls) = (if descending { "DESC" } else { "ASC" }, if first { "FIRST" } else { "LAST" });
            format!("ORDER BY {name} {order} NULLS {nulls} ")
        });
        let frame = self
            .frame
            .map_or(String::new(), |(units, start, end)| format!("{units} BETWEEN {} AND {}", start.sql(), end.sql()));
        format!("({partition}{order}{frame} {})", self.exclude)
    }

    fn key(&self, row: &Row) -> Option<f64> {
        match self.order {
            Some(("o", ..)) => row.o.map(|v| v as f64),
            Some(_) => row.d,
            None => Some(0.0),
        }
    }

    fn compare(&self, a: Option<f64>, b: Option<f64>) -> Ordering {
        let Some((_, descending, nulls_first)) = self.order else { return Ordering::Equal };
        let order = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => a.partial_cmp(&b).unwrap(),
        };
        match (a, b) {
            (None, None) => Ordering::Equal,
            (None, _) => {
                if nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (_, None) => {
                if nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Some(a), Some(b)) => {
                if descending {
                    order(b, a)
                } else {
                    order(a, b)
                }
            }
        }
    }

    /// The rows of each partition, in order.
    fn partitions<'a>(&self, rows: &'a [Row]) -> Vec<Vec<&'a Row>> {
        let mut found: Vec<(Option<i64>, Vec<&Row>)> = Vec::new();
        for row in rows {
            let key = row.p.filter(|_| self.partitioned);
            match found.iter_mut().find(|(k, _)| *k == key) {
                Some((_, list)) => list.push(row),
                None => found.push((key, vec![row])),
            }
        }
        let sorted = |mut list: Vec<&'a Row>| {
            list.sort_by(|a, b| self.compare(self.key(a), self.key(b)));
            list
        };
        found.into_iter().map(|(_, list)| sorted(list)).collect()
    }

    /// Whether the row `j` is in the frame of the row `i`, by the definition.
    fn sees(&self, rows: &[&Row], groups: &[i64], i: usize, j: usize) -> bool {
        let default = match self.order {
            Some(_) => ("RANGE", Bound::UnboundedPreceding, Bound::Current),
            None => ("ROWS", Bound::UnboundedPreceding, Bound::UnboundedFollowing),
        };
        let (units, start, end) = self.frame.unwrap_or(default);
        let after_start = start == Bound::UnboundedPreceding || self.distance(units, rows, groups, i, j, start).is_ge();
        let before_end = end == Bound::UnboundedFollowing || self.distance(units, rows, groups, i, j, end).is_le();
        let peer = self.compare(self.key(rows[i]), self.key(rows[j])).is_eq();
        let excluded = match self.exclude {
            "EXCLUDE CURRENT ROW" => i == j,
            "EXCLUDE GROUP" => peer,
            "EXCLUDE TIES" => peer && i != j,
            _ => false,
        };
        after_start && before_end && !excluded
    }

    /// The number of each row's group of peers.
    fn groups(&self, rows: &[&Row]) -> Vec<i64> {
        let begins = |w: &[&Row]| i64::from(self.compare(self.key(w[0]), self.key(w[1])).is_ne());
        let mut group = 0;
        let later = rows.windows(2).map(|w| {
            group += begins(w);
            group
        });
        std::iter::once(0).chain(later).collect()
    }

    /// Where the row `j` is, seen from the bound of the row `i`.
    fn distance(&self, units: &str, rows: &[&Row], groups: &[i64], i: usize, j: usize, bound: Bound) -> Ordering {
        let offset = bound.offset();
        match units {
            "ROWS" => (j as i64).cmp(&(i as i64 + offset)),
            "GROUPS" => groups[j].cmp(&(groups[i] + offset)),
            _ => {
                let descending = self.order.is_some_and(|(_, d, _)| d);
                let offset = if descending { -offset } else { offset } as f64;
                let target = self.key(rows[i]).map(|k| k + offset);
                self.compare(self.key(rows[j]), target)
            }
        }
    }
}

/// The naive value of a function for row `i` of its partition; `frame` are the rows that it sees.
type Naive = fn(&Over, &[&Row], usize, &[&Row]) -> Value;

fn peers(over: &Over, rows: &[&Row], i: usize) -> (usize, usize) {
    let same = |r: &&&Row| over.compare(over.key(r), over.key(rows[i])).is_eq();
    let first = rows.iter().position(|r| same(&r)).unwrap();
    (first, first + rows.iter().filter(same).count())
}

fn xs(frame: &[&Row]) -> Vec<i64> {
    frame.iter().filter_map(|r| r.x).collect()
}

fn fs(frame: &[&Row]) -> Vec<f64> {
    frame.iter().filter_map(|r| r.f).collect()
}

fn variance(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.len() > 1).then(|| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64)
}

const FUNCTIONS: &[(&str, Naive)] = &[
    ("row_number()", |_, _, i, _| Value::int(Some(i as i64 + 1))),
    ("rank()", |o, rows, i, _| Value::int(Some(peers(o, rows, i).0 as i64 + 1))),
    ("dense_rank()", |o, rows, i, _| {
        let mut keys: Vec<Option<f64>> = rows[..=i].iter().map(|r| o.key(r)).collect();
        keys.dedup_by(|a, b| o.compare(*a, *b).is_eq());
        Value::int(Some(keys.len() as i64))
    }),
    ("percent_rank()", |o, rows, i, _| {
        let rank = peers(o, rows, i).0 as f64;
        Value::number(Some(if rows.len() == 1 { 0.0 } else { rank / (rows.len() - 1) as f64 }))
    }),
    ("cume_dist()", |o, rows, i, _| Value::number(Some(peers(o, rows, i).1 as f64 / rows.len() as f64))),
    ("ntile(4)", |_, rows, i, _| {
        let sizes = (0..4).map(|b| rows.len() / 4 + usize::from(b < rows.len() % 4));
        let tiles: Vec<i64> = (1..).zip(sizes).flat_map(|(b, size)| std::iter::repeat_n(b, size)).collect();
        Value::int(Some(tiles[i]))
    }),
    ("lag(x)", |_, rows, i, _| Value::int(i.checked_sub(1).and_then(|j| rows[j].x))),
    ("lag(t, 3, 'none')", |_, rows, i, _| match i.checked_sub(3) {
        Some(j) => Value::text(rows[j].t.as_deref()),
        None => Value::Text("none".into()),
    }),
    ("lead(x, 2, id)", |_, rows, i, _| match rows.get(i + 2) {
        Some(row) => Value::int(row.x),
        None => Value::int(Some(rows[i].id)),
    }),
    ("lag(x, x)", |_, rows, i, _| {
        let place = rows[i].x.map(|n| i as i64 - n).filter(|j| *j >= 0);
        Value::int(place.and_then(|j| rows.get(j as usize)).and_then(|r| r.x))
    }),
    ("lead(t, -1)", |_, rows, i, _| Value::text(i.checked_sub(1).and_then(|j| rows[j].t.as_deref()))),
    ("lag(x, 2) IGNORE NULLS", |_, rows, i, _| Value::int(rows[..i].iter().rev().filter_map(|r| r.x).nth(1))),
    ("lead(x) IGNORE NULLS", |_, rows, i, _| Value::int(rows[i + 1..].iter().find_map(|r| r.x))),
    ("first_value(t)", |_, _, _, frame| Value::text(frame.first().and_then(|r| r.t.as_deref()))),
    ("last_value(x)", |_, _, _, frame| Value::int(frame.last().and_then(|r| r.x))),
    ("nth_value(x, 3)", |_, _, _, frame| Value::int(frame.get(2).and_then(|r| r.x))),
    ("first_value(x) IGNORE NULLS", |_, _, _, frame| Value::int(frame.iter().find_map(|r| r.x))),
    ("last_value(t) IGNORE NULLS", |_, _, _, frame| Value::text(frame.iter().rev().find_map(|r| r.t.as_deref()))),
    ("nth_value(x, 2) IGNORE NULLS", |_, _, _, frame| Value::int(xs(frame).get(1).copied())),
    ("count(*)", |_, _, _, frame| Value::int(Some(frame.len() as i64))),
    ("count(t)", |_, _, _, frame| Value::int(Some(frame.iter().filter(|r| r.t.is_some()).count() as i64))),
    ("sum(x)", |_, _, _, frame| Value::int(xs(frame).into_iter().reduce(|a, b| a + b))),
    ("sum(x) FILTER (WHERE x % 2 = 0)", |_, _, _, frame| {
        Value::int(xs(frame).into_iter().filter(|x| x % 2 == 0).reduce(|a, b| a + b))
    }),
    ("sum(f)", |_, _, _, frame| Value::number(fs(frame).into_iter().reduce(|a, b| a + b))),
    ("sum(x::decimal(10,2))", |_, _, _, frame| Value::int(xs(frame).into_iter().reduce(|a, b| a + b))),
    ("avg(x)", |_, _, _, frame| {
        let xs = xs(frame);
        Value::number((!xs.is_empty()).then(|| xs.iter().sum::<i64>() as f64 / xs.len() as f64))
    }),
    ("min(x)", |_, _, _, frame| Value::int(xs(frame).into_iter().min())),
    ("max(f)", |_, _, _, frame| Value::number(fs(frame).into_iter().reduce(f64::max))),
    ("max(t)", |_, _, _, frame| Value::text(frame.iter().filter_map(|r| r.t.as_deref()).max())),
    ("var_samp(x)", |_, _, _, frame| {
        Value::number(variance(&xs(frame).into_iter().map(|x| x as f64).collect::<Vec<_>>()))
    }),
    ("bit_xor(x)", |_, _, _, frame| Value::int(xs(frame).into_iter().reduce(|a, b| a ^ b))),
    ("bool_and(x > -15)", |_, _, _, frame| {
        let xs = xs(frame);
        Value::int((!xs.is_empty()).then(|| i64::from(xs.iter().all(|x| *x > -15))))
    }),
    ("count(DISTINCT x)", |_, _, _, frame| {
        let mut xs = xs(frame);
        xs.sort_unstable();
        xs.dedup();
        Value::int(Some(xs.len() as i64))
    }),
    ("sum(DISTINCT x)", |_, _, _, frame| {
        let mut xs = xs(frame);
        xs.sort_unstable();
        xs.dedup();
        Value::int(xs.into_iter().reduce(|a, b| a + b))
    }),
    ("median(x)", |_, _, _, frame| {
        let mut xs = xs(frame);
        xs.sort_unstable();
        let middle = xs.get((xs.len().max(1) - 1) / 2).zip(xs.get(xs.len() / 2));
        Value::number(middle.map(|(a, b)| (a + b) as f64 / 2.0))
    }),
];

fn expected(rows: &[Row], over: &Over, naive: Naive) -> Vec<Value> {
    let mut values = vec![Value::Null; rows.len()];
    for partition in over.partitions(rows) {
        let groups = over.groups(&partition);
        for (i, row) in partition.iter().enumerate() {
            let seen = (0..partition.len()).filter(|j| over.sees(&partition, &groups, i, *j));
            let frame: Vec<&Row> = seen.map(|j| partition[j]).collect();
            values[row.id as usize] = naive(over, &partition, i, &frame);
        }
    }
    values
}

/// Runs a query of some windows and compares each value.
fn agree(session: &Session, rows: &[Row], windows: &[(usize, Over)]) {
    let calls: Vec<String> = windows
        .iter()
        .enumerate()
        .map(|(i, (f, over))| format!("{} OVER {} AS w{i}", FUNCTIONS[*f].0, over.sql()))
        .collect();
    let query = format!("SELECT id, {} FROM t", calls.join(", "));
    let answer = session.sql(&query).and_then(|f| f.collect()).unwrap_or_else(|e| panic!("{query}: {e}"));
    let schema = answer.first().map_or_else(|| Arc::new(Schema::empty()), |b| b.schema());
    let whole = concat_batches(&schema, &answer).unwrap();
    assert_eq!(whole.num_rows(), rows.len(), "{query}");
    if rows.is_empty() {
        return;
    }
    let ids = whole.column(0).as_primitive::<Int64Type>();
    for (i, (f, over)) in windows.iter().enumerate() {
        let (got, wanted) = (values(whole.column(i + 1)), expected(rows, over, FUNCTIONS[*f].1));
        for (row, got) in got.iter().enumerate() {
            let id = ids.value(row);
            let wanted = &wanted[id as usize];
            assert!(got.is(wanted), "{query}\nw{i} of row {id} is {got:?}, not {wanted:?}");
        }
    }
}

/// Many queries; returns bytes that went to scratch.
fn many(run: Run, count: usize, partitions: u64, queries: usize) -> u64 {
    let session = session(run);
    let rows = rows(count, 0x5EED + count as u64 + partitions, partitions);
    let _dir = table(&session, &rows);
    let mut r = Random(0xC0FFEE + count as u64);
    for query in 0..queries {
        // Each function comes up; windows that can and that cannot share a sort.
        let mut windows = Vec::new();
        let shared = Over::random(&mut r, count as i64);
        for i in 0..3 {
            let mut over = if r.below(2) == 0 { shared.clone() } else { Over::random(&mut r, count as i64) };
            let function = (query * 3 + i) % FUNCTIONS.len();
            if FUNCTIONS[function].0.starts_with("nth_value(x, 2) IGNORE") {
                over.exclude = ""; // refused together
            }
            windows.push((function, over));
        }
        agree(&session, &rows, &windows);
    }
    session.stats().scratch_written
}

#[test]
fn windows_over_few_rows() {
    for count in [0, 1, 2, 3, 7, 8] {
        many(ROOMY, count, 2, 24);
    }
}

#[test]
fn windows_over_many_partitions() {
    many(ROOMY, 150, 12, 120);
    many(Run { batch: 100, ..ROOMY }, 150, 5, 60);
    many(Run { inline: false, batch: 1, ..ROOMY }, 60, 3, 24);
}

#[test]
fn windows_over_a_giant_partition_spill() {
    many(ROOMY, 300, 1, 24);
    // A batch a row: each takes a page of its own while it waits.
    let roomy = many(Run { batch: 1, ..ROOMY }, 300, 1, 12);
    let starved = many(Run { batch: 1, ..STARVED }, 300, 1, 12);
    assert!(starved > roomy, "{starved} {roomy}");
}
