//! A worker that is far ahead of its turn, with thousands of partitions.

use super::*;
use crate::batch::Position;
use crate::config::Tuning;
use crate::formats::{Naming, format_named};
use crate::io::{Existing, Staging};
use crate::memory::{Budget, Memory, PagePool};
use crate::ops::Cancel;
use crate::store::Scratch;
use crate::wake::Wakers;
use arrow::array::{ArrayRef, Int64Array};
use std::collections::BTreeMap;
use std::path::Path;

fn cx() -> Cx {
    Cx {
        tuning: Arc::new(Tuning::default()),
        memory: Memory { budget: Budget::new(64 << 20), pool: PagePool::new(1 << 16) },
        scratch: Scratch::new(vec![], None, 0).unwrap(),
        wakers: Wakers::deaf(),
        cancel: Cancel::default(),
        threads: 2,
    }
}

/// Three rows of each key.
fn rows(keys: std::ops::Range<i64>) -> Batch {
    let k: ArrayRef = Arc::new(Int64Array::from_iter_values(keys.clone().flat_map(|k| [k; 3])));
    let a: ArrayRef = Arc::new(Int64Array::from_iter_values(keys.flat_map(|k| [10 * k, 10 * k + 1, 10 * k + 2])));
    let data = RecordBatch::try_from_iter_with_nullable([("a", a, true), ("k", k, true)]).unwrap();
    Batch::new(data, Position::default())
}

fn sink(format: &str, out: &Path) -> WriteOp {
    let format = format_named(format).unwrap();
    let schema = Arc::new(rows(0..1).data.schema().project(&[0]).unwrap());
    let begin_schema = schema.clone();
    let begin = move |to| format.assembler(&begin_schema, &BTreeMap::new(), to);
    let naming = Naming { pattern: "data_{i}".into(), ending: format.name().into() };
    let staging = Staging::begin(out, Existing::Refused).unwrap();
    let directory = Directory::create(Box::new(staging), naming, None, false, Box::new(begin));
    let partitions = Partitions { keys: vec![(1, "k".into())], written: vec![0], schema: schema.clone() };
    let make = move || format.encoder(&schema, &BTreeMap::new(), 1 << 20);
    WriteOp::into_directory(Box::new(make), directory, Some(partitions), Way::Together, (1 << 20, 2 << 20, None))
}

#[test]
fn of_many_partitions_ahead_of_their_turn_only_the_outer_ones_wait() {
    for format in ["csv", "json", "parquet"] {
        let (cx, dir) = (cx(), tempfile::tempdir().unwrap());
        let out = dir.path().join("out");
        let op = sink(format, &out);
        let footers = || cx.memory.budget.held();
        let (mut early, mut late) = (op.local(&cx).unwrap(), op.local(&cx).unwrap());
        // The second piece of the input is written first; key 3 goes on in it, and key 700 behind it.
        late.begin(1, &cx).unwrap();
        late.push(rows(3..400), &cx).unwrap();
        late.push(rows(400..701), &cx).unwrap();
        late.end(&cx).unwrap();
        assert_eq!(
            lock(&op.sequencer).waiting(),
            3,
            "{format}: the first partition, the open file of the last, the end"
        );
        let held = footers();
        assert!((1..256 << 10).contains(&held), "{format}: {held} bytes of footers");
        late.begin(2, &cx).unwrap();
        late.push(rows(700..701), &cx).unwrap();
        late.end(&cx).unwrap();
        assert_eq!((lock(&op.sequencer).waiting(), footers() > held), (5, true), "{format}: what waits is counted");
        early.begin(0, &cx).unwrap();
        early.push(rows(0..4), &cx).unwrap();
        early.end(&cx).unwrap();
        assert_eq!(lock(&op.sequencer).waiting(), 0, "{format}");
        [early, late].into_iter().for_each(|sink| sink.finish(&cx).unwrap());
        op.finish(&cx).unwrap();
        assert_eq!((op.written().0, cx.memory.budget.held()), (3 * (4 + 698 + 1), 0), "{format}");
        let names = |k: i64| -> Vec<_> { std::fs::read_dir(out.join(format!("k={k}"))).unwrap().collect() };
        assert!((0..701).all(|k| names(k).len() == 1), "{format}: a file a key");
        if format == "csv" {
            let text = |k: i64| std::fs::read_to_string(out.join(format!("k={k}/data_0.csv"))).unwrap();
            assert_eq!(text(5), "a\n50\n51\n52\n");
            assert_eq!(text(3), "a\n30\n31\n32\n30\n31\n32\n", "in the order of the input");
            assert_eq!(text(700), "a\n7000\n7001\n7002\n7000\n7001\n7002\n");
        }
    }
}
