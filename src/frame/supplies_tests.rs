//! Rows of the program, and rows for other programs: both pools, and everything that readers may do wrong.

use super::testing::{ask, error, file, roomy, sessions, starved, try_ask};
use crate::{Error, ErrorKind, Result};
use arrow::array::{ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false), Field::new("s", DataType::Utf8, true)]))
}

fn batch(from: i64, rows: i64) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(from..from + rows);
    let texts = StringArray::from_iter((from..from + rows).map(|n| (n % 3 != 0).then(|| format!("text {n}"))));
    RecordBatch::try_new(schema(), vec![Arc::new(numbers), Arc::new(texts)]).unwrap()
}

#[test]
fn batches_are_tables() {
    for session in sessions() {
        let frame = session.from_batches(schema(), vec![batch(0, 20_000), batch(20_000, 0), batch(20_000, 5)]).unwrap();
        assert_eq!(frame.count().unwrap(), 20_005);
        assert_eq!(frame.partitions().unwrap(), Some(1));
        session.register("t", &frame).unwrap();
        let sql = "SELECT count(*), count(s), min(s), max(n) FROM t WHERE n > 10";
        assert_eq!(ask(&session, sql), ["19994|13329|text 100|20004"]);
        assert_eq!(ask(&session, "SELECT a.n FROM t a JOIN t b ON a.s = b.s WHERE a.n = 20002"), ["20002"]);
        let back: Vec<RecordBatch> = frame.collect().unwrap();
        let numbers = back.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert!(numbers.eq(0..20_005), "in order");
    }
}

#[test]
fn dictionaries_and_nested_text_become_plain() {
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    let columns: [(&str, ArrayRef); 1] = [("d", Arc::new(dictionary))];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
    let session = roomy();
    session.register("t", &session.from_batches(batch.schema(), vec![batch]).unwrap()).unwrap();
    assert_eq!(ask(&session, "SELECT d || '!', count(*) FROM t GROUP BY d ORDER BY d"), ["a!|2", "-|1"]);
    assert!(error(&session, "SELECT e FROM t").contains('d'));
}

#[test]
fn wrong_batches_are_refused() {
    let session = roomy();
    let other = RecordBatch::try_from_iter([("n", batch(0, 3).column(0).clone())]).unwrap();
    let text = session.from_batches(schema(), vec![batch(0, 1), other.clone()]).err().unwrap().to_string();
    assert_eq!(text, "from_batches: a batch of 1 columns where 2 are declared");
    for session in sessions() {
        let two = batch(0, 3).column(0).clone();
        let wrong = RecordBatch::try_from_iter([("n", two.clone()), ("s", two)]).unwrap();
        let frame =
            session.from_fn(schema(), 1, move |_| Ok([Ok(batch(0, 3)), Ok(wrong.clone())].into_iter())).unwrap();
        let text = frame.collect().unwrap_err();
        assert_eq!(text.message(), "from_fn: the column s is Int64 in a batch, but Utf8 is declared");
    }
}

#[test]
fn a_reader_is_read_once() {
    for session in sessions() {
        let read = Arc::new(AtomicUsize::new(0));
        let count = read.clone();
        let batches = (0..1000).map(move |i| {
            count.fetch_add(1, Relaxed);
            Ok(batch(10 * i, 10))
        });
        let frame = session.from_reader(RecordBatchIterator::new(batches, schema())).unwrap();
        assert_eq!(read.load(Relaxed), 0, "nothing is read before it runs");
        assert_eq!(
            frame.clone().limit(0, 15).unwrap().collect().unwrap().iter().map(|b| b.num_rows()).sum::<usize>(),
            15
        );
        assert!(read.load(Relaxed) < 900, "no more than is wanted");
        let again = frame.collect().unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Query);
        assert!(again.to_string().contains("read already") && again.to_string().contains("persist()"), "{again}");
    }
}

#[test]
fn readers_fail_in_the_middle() {
    for session in sessions() {
        let broken = |fail: fn() -> std::result::Result<RecordBatch, ArrowError>| {
            let batches = (0..5).map(move |i| if i == 3 { fail() } else { Ok(batch(i, 2)) });
            let frame = session.from_reader(RecordBatchIterator::new(batches, schema())).unwrap();
            frame.collect().unwrap_err()
        };
        let e = broken(|| Err(ArrowError::ParseError("torn".into())));
        assert_eq!((e.kind(), e.message()), (ErrorKind::Data, "from_reader: torn"));
        let e = broken(|| Err(ArrowError::ExternalError(Box::new(Error::resources("full").advise("clean up")))));
        assert_eq!((e.kind(), e.message(), e.advice()), (ErrorKind::Resources, "from_reader: full", Some("clean up")));
        let e = broken(|| panic!("a bug"));
        assert_eq!((e.kind(), e.message()), (ErrorKind::Internal, "from_reader panicked: a bug"));
        let unopened = |_: usize| -> Result<std::iter::Empty<Result<RecordBatch>>> { panic!("closed") };
        let e = session.from_fn(schema(), 2, unopened).unwrap().collect().unwrap_err();
        assert_eq!(e.message(), "from_fn panicked: closed");
        assert_eq!(ask(&session, "SELECT 1"), ["1"], "the session goes on");
    }
}

#[test]
fn functions_make_partitions_in_order_and_again() {
    for session in sessions() {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = opened.clone();
        let open = move |partition: usize| {
            count.fetch_add(1, Relaxed);
            Ok((0..20).map(move |i| Ok(batch(partition as i64 * 1000 + i * 50, 50))))
        };
        let frame = session.from_fn(schema(), 8, open).unwrap();
        for run in 1..=2 {
            let batches = frame.collect().unwrap();
            let numbers = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
            assert!(numbers.eq(0..8000), "in order");
            assert_eq!(opened.load(Relaxed), 8 * run);
        }
        assert_eq!(frame.partitions().unwrap(), Some(8));
        assert_eq!(session.from_fn(schema(), 0, |_| Ok(std::iter::empty())).unwrap().count().unwrap(), 0);
    }
}

#[test]
fn rows_go_out_through_the_c_stream_and_come_in_again() {
    for session in sessions() {
        let sql = "SELECT n, 'text ' || n AS s, [n] AS l FROM range(20000) AS t(n)";
        let stream = session.sql(sql).unwrap().batches().unwrap().into_c_stream();
        let reader = ArrowArrayStreamReader::try_new(stream).unwrap();
        let frame = session.from_reader(reader).unwrap();
        session.register("back", &frame).unwrap();
        let sums = ask(&session, "SELECT count(*), sum(n), sum(l[1]), max(s) FROM back");
        assert_eq!(sums, ["20000|199990000|199990000|text 9999"]);
    }
}

#[test]
fn errors_and_the_end_of_a_c_stream_reach_the_query() {
    for session in sessions() {
        let sql = "SELECT 10 // (n - 15000) AS q FROM range(20000) AS t(n)";
        let stream = session.sql(sql).unwrap().batches().unwrap().into_c_stream();
        let said = ArrowArrayStreamReader::try_new(stream).unwrap().find_map(std::result::Result::err).unwrap();
        assert!(said.to_string().contains("zero"), "{said}");
        // A stream that is released early: the query is cancelled, and the session free for others.
        let stream = session.sql("SELECT * FROM range(100000000000)").unwrap().batches().unwrap().into_c_stream();
        let mut reader = ArrowArrayStreamReader::try_new(stream).unwrap();
        assert!(reader.next().unwrap().unwrap().num_rows() > 0);
        drop(reader);
        assert_eq!(ask(&session, "SELECT count(*) FROM range(1000)"), ["1000"]);
    }
    let empty = FFI_ArrowArrayStream::empty();
    assert!(ArrowArrayStreamReader::try_new(empty).is_err());
}

/// The types that a reader says are those of its rows, also where a later value changed them.
#[test]
fn a_reader_knows_its_types_when_the_query_started_over() {
    let rows: String = (0..30_000).map(|i| if i == 29_000 { "x,1.5\n".into() } else { format!("a,{i}\n") }).collect();
    let (_file, path) = file(".csv", &format!("k,v\n{rows}"));
    let session = starved(true);
    let query = session.sql(&format!("SELECT sum(v) AS v FROM '{path}'")).unwrap();
    let mut reader = query.batches().unwrap().into_reader();
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let first = reader.next().unwrap().unwrap();
    assert_eq!(first.schema(), schema);
    assert_eq!(first.num_rows(), 1);
    assert!(try_ask(&session, &format!("SELECT v FROM '{path}' WHERE k = 'x'")).unwrap().contains(&"1.5".to_string()));
}
