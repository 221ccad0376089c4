//! Several frames at once: what they share is computed once, and each has its own rows.

use super::testing::{ask, file, roomy, sessions, starved};
use super::{Frame, Session, collect_all};
use crate::ErrorKind;
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion_common::JoinType;
use datafusion_expr::{col, lit};
use datafusion_functions_aggregate::expr_fn::{count, max, sum};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn numbers(batches: &[RecordBatch], column: usize) -> Vec<i64> {
    let all = batches.iter().flat_map(|b| b.column(column).as_primitive::<Int64Type>().values().to_vec());
    let mut all: Vec<i64> = all.collect();
    all.sort_unstable();
    all
}

/// A function that counts its calls, as one that depends on its argument alone.
fn counted(session: &Session, name: &str) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let seen = move |n: i64| {
        count.fetch_add(1, Relaxed);
        n >= 0
    };
    session.register_fn(name, seen).unwrap();
    calls
}

fn csv(rows: usize) -> (tempfile::NamedTempFile, String) {
    let rows: String = (0..rows).map(|i| format!("{},{i},text {i}\n", i % 7)).collect();
    file(".csv", &format!("k,n,s\n{rows}"))
}

#[test]
fn a_file_is_scanned_once() {
    let (_file, path) = csv(5000);
    for session in sessions() {
        let calls = counted(&session, "seen");
        let rows = |sql: &str| session.sql(&format!("{sql} FROM '{path}' WHERE seen(n)")).unwrap();
        let frames = [rows("SELECT sum(n)"), rows("SELECT s, k"), rows("SELECT n, k")];
        let made = collect_all(&frames).unwrap();
        assert_eq!(calls.load(Relaxed), 5000, "each row of the file once");
        assert_eq!(numbers(&made[0], 0), [5000 * 4999 / 2]);
        assert_eq!(made[1].iter().map(RecordBatch::num_rows).sum::<usize>(), 5000);
        assert!(made[2].iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).eq(0..5000));
        frames.iter().for_each(|frame| drop(frame.collect().unwrap()));
        assert_eq!(calls.load(Relaxed), 4 * 5000, "one by one, it is three times");
    }
}

#[test]
fn scans_share_what_any_of_them_wants() {
    let (_file, path) = csv(1000);
    let (_other, other) = csv(10);
    let session = starved(true);
    let low = session.sql(&format!("SELECT n FROM '{path}' WHERE n < 10")).unwrap();
    let high = session.sql(&format!("SELECT s, k FROM '{path}' WHERE n >= 990 AND k = 3")).unwrap();
    let of_other = session.sql(&format!("SELECT n FROM '{other}' WHERE n < 100")).unwrap();
    let few = session.sql(&format!("SELECT n FROM '{path}' LIMIT 3")).unwrap();
    let frames = [low, high, of_other, few];
    let plan = session.0.front.plan_together(frames.iter().map(|f| f.plan.clone()).collect()).unwrap();
    let text = plan.display_indent().to_string();
    assert_eq!(text.matches("Shared: 0").count(), 2, "{text}");
    assert_eq!(text.matches("Shared").count(), 2, "another file and a limit have scans of their own: {text}");
    let made = collect_all(&frames).unwrap();
    assert_eq!(numbers(&made[0], 0), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&made[1], 1), [3, 3]);
    assert_eq!(numbers(&made[2], 0), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&made[3], 0), [0, 1, 2]);
}

#[test]
fn work_in_common_is_done_once() {
    for session in sessions() {
        let calls = counted(&session, "seen");
        let base = session.sql("SELECT n % 10 AS k, n FROM range(5000) AS t(n) WHERE seen(n)").unwrap();
        let sums = base.group_by([col("k")]).agg([sum(col("n")).alias("total")]).unwrap();
        let most = sums.clone().group_by([]).agg([max(col("total")).alias("most")]).unwrap();
        let joined = sums.clone().join(most.clone(), JoinType::Inner, &["total"], &["most"]).unwrap();
        let some = sums.clone().filter(col("k").lt(lit(3))).unwrap();
        let frames = [sums, some, most, joined];
        let made = collect_all(&frames).unwrap();
        assert_eq!(calls.load(Relaxed), 5000);
        assert_eq!(numbers(&made[0], 0), (0..10).collect::<Vec<_>>());
        assert_eq!(numbers(&made[1], 0), [0, 1, 2]);
        assert_eq!(numbers(&made[2], 0), [1_252_000]);
        assert_eq!(numbers(&made[3], 0), [9]);
        for (frame, rows) in frames.iter().zip(&made) {
            assert_eq!(numbers(&frame.collect().unwrap(), 0), numbers(rows, 0), "as each by itself");
        }
    }
}

fn one_column() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn column(values: Vec<i64>) -> RecordBatch {
    RecordBatch::try_new(one_column(), vec![Arc::new(Int64Array::from(values)) as ArrayRef]).unwrap()
}

#[test]
fn a_reader_serves_several_frames_at_once() {
    let session = roomy();
    let batches = (0..100).map(|i| Ok(column(vec![i; 10])));
    let reader = arrow::array::RecordBatchIterator::new(batches, one_column());
    let frame = session.from_reader(reader).unwrap();
    let total = frame.clone().group_by([]).agg([sum(col("n")).alias("n")]).unwrap();
    let large = frame.filter(col("n").gt_eq(lit(99))).unwrap();
    let made = collect_all(&[total, large]).unwrap();
    assert_eq!((numbers(&made[0], 0), numbers(&made[1], 0)), (vec![49_500], vec![99; 10]));
}

/// The numbers of what is shared in subqueries are not given twice.
#[test]
fn subqueries_share_beside_scans() {
    let (_file, path) = csv(100);
    let session = starved(true);
    let sql = format!(
        "WITH c AS (SELECT k, sum(n) AS s FROM '{path}' GROUP BY k) \
         SELECT n FROM '{path}' WHERE n = (SELECT count(*) FROM c a JOIN c b ON a.k = b.k)"
    );
    let frames = [session.sql(&sql).unwrap(), session.sql(&format!("SELECT sum(n) AS n FROM '{path}'")).unwrap()];
    let made = collect_all(&frames).unwrap();
    assert_eq!((numbers(&made[0], 0), numbers(&made[1], 0)), (vec![7], vec![4950]));
}

#[test]
fn odd_lists_of_frames() {
    assert!(collect_all(&[]).unwrap().is_empty());
    let session = roomy();
    let one = session.sql("SELECT 1 AS a, 2 AS a").unwrap();
    let same = collect_all(&[one.clone(), one.clone()]).unwrap();
    assert_eq!((same[0][0].num_columns(), &same[0]), (2, &same[1]));
    let other = roomy().sql("SELECT 1").unwrap();
    assert!(collect_all(&[one.clone(), other]).unwrap_err().to_string().contains("different sessions"));
    let wrong = session.sql("SELECT 1 // (n - 3) AS q FROM range(5) AS t(n)").unwrap();
    assert!(collect_all(&[one, wrong]).unwrap_err().to_string().contains("zero"));
    let none = session.sql("SELECT * FROM range(0) AS t(n)").unwrap();
    assert_eq!(collect_all(&[none.clone(), none]).unwrap()[1].iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    let recursive = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t";
    let frames =
        [session.sql(recursive).unwrap(), session.sql("SELECT (SELECT max(n) FROM range(4) AS u(n)) AS m").unwrap()];
    let made = collect_all(&frames).unwrap();
    assert_eq!((numbers(&made[0], 0), numbers(&made[1], 0)), (vec![1, 2, 3, 4, 5], vec![3]));
}

#[test]
fn types_that_prove_wrong_start_over() {
    let rows: String = (0..30_000).map(|i| if i == 29_000 { "1.5\n".into() } else { format!("{i}\n") }).collect();
    let (_file, path) = file(".csv", &format!("v\n{rows}"));
    for session in sessions() {
        let frame = |what: &str| session.sql(&format!("SELECT {what} AS v FROM '{path}'")).unwrap();
        let made = collect_all(&[frame("max(v)"), frame("count(v)")]).unwrap();
        assert_eq!(made[0][0].schema().field(0).data_type(), &DataType::Float64);
        assert_eq!(numbers(&made[1], 0), [30_000]);
    }
}

#[test]
fn rows_persist_until_nobody_needs_them() {
    for session in sessions() {
        let calls = counted(&session, "seen");
        let frame = session.sql("SELECT n, 'text ' || n AS s FROM range(20000) AS t(n) WHERE seen(n)").unwrap();
        let kept = frame.persist().unwrap();
        assert_eq!(calls.load(Relaxed), 20_000);
        let names: Vec<String> = kept.schema().unwrap().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["n", "s"]);
        session.register("kept", &kept).unwrap();
        assert_eq!(ask(&session, "SELECT count(*), max(s) FROM kept WHERE n < 12000"), ["12000|text 9999"]);
        assert_eq!(numbers(&kept.collect().unwrap(), 0), (0..20_000).collect::<Vec<_>>());
        assert_eq!(calls.load(Relaxed), 20_000, "not again");
    }
}

#[test]
fn columns_that_only_their_tables_tell_apart_persist() {
    let session = roomy();
    let side = |name: &str| session.sql(&format!("SELECT * FROM range(5) AS {name}(n)")).unwrap();
    let joined = side("a").join(side("b"), JoinType::Inner, &["n"], &["n"]).unwrap();
    let kept = joined.persist().unwrap();
    assert_eq!(kept.collect().unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
    assert_eq!(kept.select([datafusion_expr::col("a.n").alias("x")]).unwrap().count().unwrap(), 5);
}

#[test]
fn batches_are_mapped_in_order() {
    for session in sessions() {
        let frame = session.sql("SELECT n FROM range(20000) AS t(n)").unwrap();
        let twice = |batch: RecordBatch| {
            let twice = batch.column(0).as_primitive::<Int64Type>().values().iter().flat_map(|n| [*n, *n]).collect();
            Ok(column(twice))
        };
        let mapped = frame.clone().map_partitions(one_column(), twice).unwrap();
        let all = mapped.collect().unwrap();
        let numbers = all.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
        assert!(numbers.eq((0..20_000).flat_map(|n| [n, n])));
        let counted = mapped.filter(col("n").lt(lit(10))).unwrap().group_by([col("n")]).agg([count(lit(1))]).unwrap();
        assert_eq!(counted.count().unwrap(), 10);
        let none = frame.clone().map_partitions(one_column(), |b| Ok(b.slice(0, 0))).unwrap();
        assert_eq!(none.count().unwrap(), 0);
        let error = |frame: crate::Result<Frame>| frame.unwrap().collect().unwrap_err();
        let e = error(frame.clone().map_partitions(one_column(), |_| panic!("a bug")));
        assert_eq!((e.kind(), e.message()), (ErrorKind::Internal, "map_partitions panicked: a bug"));
        let e = error(frame.clone().map_partitions(one_column(), |_| Err(crate::Error::data("no"))));
        assert_eq!((e.kind(), e.message()), (ErrorKind::Data, "map_partitions: no"));
        let e = error(frame.map_partitions(one_column(), |b| Ok(b.project(&[])?)));
        assert_eq!(e.message(), "map_partitions: a batch of 0 columns where 1 are declared");
    }
}
