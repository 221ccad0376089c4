//! Nanoseconds a row of `SELECT k, sum(v), count(*) GROUP BY k`, by number of groups, on one and two workers.

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use partita::batch::{Batch, Position};
use partita::config::Tuning;
use partita::events::Meter;
use partita::memory::Memory;
use partita::ops::aggregate::{Aggregate, AggregateOp, Function};
use partita::ops::{Cancel, Cx, Flow, Pull, Sink, SinkOp, SourceOp};
use partita::store::Scratch;
use partita::wake::Wakers;
use std::sync::Arc;
use std::time::Instant;

const BATCH: usize = 8192;

fn cx(limit: usize) -> Cx {
    let tuning = Tuning::default();
    let memory = Memory::new(limit, tuning.page_size(limit));
    Cx {
        memory,
        scratch: Scratch::new(vec![std::env::temp_dir()], None, tuning.scratch_write_bytes).expect("scratch"),
        tuning: Arc::new(tuning),
        wakers: Wakers::deaf(),
        cancel: Cancel::default(),
        threads: 2,
    }
}

/// Keys `0..groups` in a random order that costs little to make.
fn batch(schema: &Arc<Schema>, groups: u64, n: usize) -> Batch {
    let key = |i: u64| ((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) % groups;
    let from = (n * BATCH) as u64;
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((from..from + BATCH as u64).map(|i| key(i) as i64)));
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values((from..from + BATCH as u64).map(|i| i as i64)));
    let data = RecordBatch::try_new(schema.clone(), vec![keys, values]).expect("two columns");
    Batch::new(data, Position::default())
}

fn main() {
    let rows: usize = std::env::var("ROWS").ok().and_then(|r| r.parse().ok()).unwrap_or(20_000_000);
    let limit: usize = std::env::var("LIMIT").ok().and_then(|r| r.parse().ok()).unwrap_or(4 << 30);
    for groups in [10, 10_000, 5_000_000] {
        let cx = cx(limit);
        let input =
            Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true), Field::new("v", DataType::Int64, true)]));
        let output = Arc::new(Schema::new(vec![
            Field::new("k", DataType::Int64, true),
            Field::new("s", DataType::Int64, true),
            Field::new("n", DataType::Int64, true),
        ]));
        let list = [
            Aggregate { function: Function::Sum, arguments: vec![1], filter: None },
            Aggregate { function: Function::Count, arguments: vec![], filter: None },
        ];
        let meter = Arc::new(Meter::default());
        let op = AggregateOp::new(&input, vec![0], &list, output, &cx.tuning, limit, meter.clone()).expect("op");
        let (mut absorb, start) = (0, Instant::now());
        let mut sink = op.local(&cx).expect("sink");
        for n in 0..rows / BATCH {
            let batch = batch(&input, groups, n);
            let start = Instant::now();
            let mut flow = sink.push(batch, &cx).expect("push");
            while let Flow::Starved(starved) = flow {
                sink.spill(starved.bytes, &cx).expect("spill");
                flow = sink.resume(&cx).expect("resume");
            }
            absorb += start.elapsed().as_nanos();
        }
        let merge = Instant::now();
        Sink::finish(sink, &cx).expect("finish");
        let mut source = op.open(0, 0, &cx).expect("source");
        let mut found = 0;
        loop {
            match source.next(&cx).expect("next") {
                Pull::Batch(batch) => found += batch.rows(),
                Pull::End => break,
                _ => {}
            }
        }
        let per_row = |nanos: u128| nanos as f64 / rows as f64;
        println!(
            "{groups:>8} groups ({found} found): absorb {:.1} ns/row, merge {:.1} ns/row, spilled {} MiB, peak {} MiB, {:.2} s",
            per_row(absorb),
            per_row(merge.elapsed().as_nanos()),
            meter.spilled() >> 20,
            cx.memory.budget.peak() >> 20,
            start.elapsed().as_secs_f64()
        );
    }
}
