//! Sorts against a stable sort of the standard library, through SQL, under roomy and starved budgets.

use crate::config::Tuning;
use crate::frame::Session;
use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use std::cmp::Ordering;
use std::sync::Arc;

/// How a query is run.
#[derive(Clone, Copy, Debug)]
struct Run {
    memory: usize,
    page: usize,
    fan_in: usize,
    threads: usize,
    batch: usize,
    inline: bool,
}

const ROOMY: Run = Run { memory: 256 << 20, page: 4096, fan_in: 256, threads: 2, batch: 100, inline: true };
const STARVED: Run = Run { memory: 600 << 10, fan_in: 2, ..ROOMY };

fn session(run: Run) -> Session {
    let tuning = Tuning {
        page_bytes: Some(run.page),
        merge_fan_in: run.fan_in,
        batch_rows: run.batch,
        batch_bytes: 8 << 10,
        split_bytes: 8 << 10,
        result_queue_bytes: 16 << 10,
        scratch_write_bytes: 4096,
        preaggregate_slots: 64,
        ..Tuning::default()
    };
    Session::builder()
        .memory(run.memory)
        .unwrap()
        .threads(run.threads)
        .tuning(tuning)
        .inline(run.inline)
        .build()
        .unwrap()
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
}

/// A row as the oracle sees it.
#[derive(Clone, Debug)]
struct Row {
    id: i64,
    int: Option<i64>,
    float: Option<f64>,
    text: Option<String>,
    list: Option<Vec<i64>>,
}

fn rows(count: usize, seed: u64, long: usize) -> Vec<Row> {
    let mut r = Random(seed | 1);
    let floats = [0.0, -0.0, 1.5, -1.5, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let some = |r: &mut Random| r.below(8) > 0;
    (0..count as i64)
        .map(|id| Row {
            id,
            int: some(&mut r).then(|| r.below(50) as i64 - 25),
            float: some(&mut r).then(|| floats[r.below(8) as usize]),
            text: some(&mut r).then(|| {
                let long = if long > 0 && r.below(50) == 0 { long } else { 12 };
                let length = r.below(long as u64) as usize;
                (0..length).map(|_| ["a", "b", "é"][r.below(3) as usize]).collect()
            }),
            list: some(&mut r).then(|| (0..r.below(3)).map(|_| r.below(3) as i64).collect()),
        })
        .collect()
}

/// A Parquet file of the rows, as a table `t`.
fn table(session: &Session, rows: &[Row]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in rows {
        lists.append_option(row.list.as_ref().map(|l| l.iter().map(|v| Some(*v))));
    }
    let lists = lists.finish();
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("i", DataType::Int64, true),
        Field::new("f", DataType::Float64, true),
        Field::new("t", DataType::Utf8, true),
        Field::new("l", lists.data_type().clone(), true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.id))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.int))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.float))),
        Arc::new(StringArray::from_iter(rows.iter().map(|r| r.text.clone()))),
        Arc::new(lists),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let path = dir.path().join("t.parquet");
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    session.register_file("t", path.to_str().unwrap()).unwrap();
    dir
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let schema = batches.first().map_or_else(|| Arc::new(Schema::empty()), |b| b.schema());
    let whole = concat_batches(&schema, batches).unwrap();
    match whole.column_by_name("id") {
        Some(column) => column.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec(),
        None => Vec::new(),
    }
}

/// Nulls where they belong, values by `compare`.
fn order<T>(
    a: &Option<T>,
    b: &Option<T>,
    descending: bool,
    nulls_first: bool,
    compare: fn(&T, &T) -> Ordering,
) -> Ordering {
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
                compare(b, a)
            } else {
                compare(a, b)
            }
        }
    }
}

fn floats(a: &f64, b: &f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ => a.partial_cmp(b).unwrap(),
    }
}

/// One key of a query.
#[derive(Clone, Copy, Debug)]
struct Key(&'static str, bool, bool);

impl Key {
    fn sql(&self) -> String {
        let (order, nulls) = (if self.1 { "desc" } else { "asc" }, if self.2 { "first" } else { "last" });
        format!("{} {order} nulls {nulls}", self.0)
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let Key(name, descending, nulls_first) = *self;
        match name {
            "i" => order(&a.int, &b.int, descending, nulls_first, i64::cmp),
            "i % 5" => order(&a.int.map(|v| v % 5), &b.int.map(|v| v % 5), descending, nulls_first, i64::cmp),
            "f" => order(&a.float, &b.float, descending, nulls_first, floats),
            "t" => order(&a.text, &b.text, descending, nulls_first, |a, b| a.as_bytes().cmp(b.as_bytes())),
            _ => order(&a.list, &b.list, descending, nulls_first, Vec::cmp),
        }
    }
}

fn expected(rows: &[Row], keys: &[Key]) -> Vec<i64> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by(|a, b| keys.iter().map(|k| k.compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
    rows.iter().map(|r| r.id).collect()
}

fn sql(keys: &[Key]) -> String {
    let keys: Vec<String> = keys.iter().map(Key::sql).collect();
    format!("select * from t order by {}", keys.join(", "))
}

const KEYS: [&[Key]; 7] = [
    &[Key("i", false, false)],
    &[Key("f", true, false), Key("i", false, true)],
    &[Key("t", false, true), Key("f", false, false)],
    &[Key("i % 5", true, true), Key("t", true, false)],
    &[Key("l", false, false), Key("i", true, true)],
    &[Key("f", false, true)],
    &[Key("t", true, true)],
];

/// Bytes that went to scratch.
fn agree(run: Run, count: usize, long: usize) -> u64 {
    let session = session(run);
    let rows = rows(count, 0x5EED + count as u64, long);
    let _dir = table(&session, &rows);
    for keys in KEYS {
        let answer = session.sql(&sql(keys)).unwrap().collect().unwrap_or_else(|e| panic!("{run:?} {keys:?}: {e}"));
        assert_eq!(ids(&answer), expected(&rows, keys), "{run:?} {keys:?}");
    }
    session.stats().scratch_written
}

#[test]
fn sorts_in_memory() {
    for threads in [1, 2, 7] {
        agree(Run { threads, ..ROOMY }, 3000, 0);
    }
}

#[test]
fn sorts_in_several_passes() {
    for threads in [1, 2] {
        let written = agree(Run { threads, memory: 400 << 10, ..STARVED }, 6000, 0);
        assert!(written > 4_000_000, "{written} bytes written");
    }
}

#[test]
fn sorts_on_real_threads() {
    agree(Run { inline: false, ..ROOMY }, 3000, 0);
    agree(Run { inline: false, ..STARVED }, 6000, 0);
}

#[test]
fn rows_may_be_larger_than_a_page() {
    agree(Run { threads: 1, ..ROOMY }, 1000, 20_000);
    agree(Run { memory: 3 << 20, ..STARVED }, 2000, 20_000);
}

#[test]
fn few_rows_and_none() {
    for count in [0, 1, 2, 3] {
        agree(ROOMY, count, 0);
    }
}

#[test]
fn limits_take_the_first_rows() {
    for run in [ROOMY, STARVED, Run { threads: 7, ..ROOMY }] {
        let session = session(run);
        let rows = rows(3000, 77, 0);
        let _dir = table(&session, &rows);
        for keys in KEYS {
            for (limit, offset) in [(0, 0), (1, 0), (10, 3), (700, 1), (2500, 100), (5000, 0), (10, 4000)] {
                let query = format!("{} limit {limit} offset {offset}", sql(keys));
                let answer = session.sql(&query).unwrap().collect().unwrap_or_else(|e| panic!("{run:?} {query}: {e}"));
                let all = expected(&rows, keys);
                let wanted: Vec<i64> = all.into_iter().skip(offset).take(limit).collect();
                assert_eq!(ids(&answer), wanted, "{run:?} {query}");
            }
        }
    }
}

#[test]
fn a_limit_inside_a_query_keeps_its_rows() {
    let session = session(STARVED);
    let rows = rows(3000, 5, 0);
    let _dir = table(&session, &rows);
    let query = "select id from (select * from t order by i desc nulls last limit 2000) order by id desc";
    let answer = session.sql(query).unwrap().collect().unwrap();
    let mut wanted: Vec<i64> = expected(&rows, &[Key("i", true, false)]).into_iter().take(2000).collect();
    wanted.sort_by_key(|id| -id);
    assert_eq!(ids(&answer), wanted);
}

/// A table `w` of `columns` ints beside an id, its key in reverse.
fn wide(session: &Session, rows: i64, columns: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut fields = vec![("id".to_string(), Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef)];
    for c in 0..columns as i64 {
        fields
            .push((format!("c{c}"), Arc::new(Int64Array::from_iter_values((0..rows).map(|r| (rows - r) * 1000 + c)))));
    }
    let batch = RecordBatch::try_from_iter(fields).unwrap();
    let path = dir.path().join("w.parquet");
    let small = parquet::file::properties::WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(16 << 10)
        .set_max_row_group_row_count(Some(10_000))
        .build();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), Some(small))
            .unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    session.register_file("w", path.to_str().unwrap()).unwrap();
    dir
}

#[test]
fn a_hundred_columns_are_sorted_at_64_mib() {
    let session = Session::builder().memory(64 << 20).unwrap().threads(2).build().unwrap();
    // About 86 MB: what does not fit goes to scratch, however threads take turns.
    let rows = 100_000;
    let _dir = wide(&session, rows, 100);
    let batches = session.sql("select * from w order by c99, c0").unwrap().collect().unwrap();
    assert_eq!(ids(&batches), (0..rows).rev().collect::<Vec<_>>());
    for batch in &batches {
        let id = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>();
        let last = batch.column(100).as_primitive::<arrow::datatypes::Int64Type>();
        assert!(id.values().iter().zip(last.values()).all(|(id, last)| *last == (rows - id) * 1000 + 99));
    }
    assert!(session.stats().scratch_written > 10 << 20);
}

#[test]
fn cells_of_a_mebibyte_are_sorted_at_64_mib() {
    let session = Session::builder().memory(64 << 20).unwrap().threads(2).build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.csv");
    let mut text = String::from("id,large\n");
    let count = 100;
    for id in 0..count {
        text += &format!("{id},{:03}{}\n", id * 37 % count, "x".repeat((1 << 20) - 3));
    }
    std::fs::write(&path, text).unwrap();
    session.register_file("l", path.to_str().unwrap()).unwrap();
    let batches =
        session.sql("select cast(id as bigint) as id, large from l order by large").unwrap().collect().unwrap();
    let mut wanted: Vec<i64> = (0..count).collect();
    wanted.sort_by_key(|id| id * 37 % count);
    assert_eq!(ids(&batches), wanted);
    let query = "select cast(id as bigint) as id, large from l order by large desc limit 30";
    let best = session.sql(query).unwrap().collect().unwrap();
    wanted.reverse();
    assert_eq!(ids(&best), wanted[..30]);
}
