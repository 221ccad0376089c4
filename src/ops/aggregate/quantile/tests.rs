//! Quantiles against sorted lists, under roomy and starved budgets.

use super::*;
use crate::batch::{Batch, Position};
use crate::memory::{Budget, Memory, PagePool};
use crate::ops::{Cancel, Flow, Pull};
use crate::store::Scratch;
use crate::wake::Wakers;
use arrow::array::*;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use std::collections::BTreeMap;

const LISTED: [(usize, Rank); 7] = [
    (1, Rank::Median),
    (1, Rank::Continuous(0.9)),
    (2, Rank::Median),
    (3, Rank::Median),
    (1, Rank::Continuous(0.0)),
    (1, Rank::Discrete(0.25)),
    (1, Rank::DiscreteFromTop(0.25)),
];

/// Columns: 0 key, 1 float, 2 int, 3 decimal. A share of rows in tenths has key 0.
fn data(rows: usize, groups: u64, giant: u64) -> RecordBatch {
    let mut state = 88172645463325252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 8
    };
    let mut lists: (Vec<_>, Vec<_>, Vec<_>, Vec<_>) = Default::default();
    for _ in 0..rows {
        let key = if next() % 10 < giant { 0 } else { next() % groups };
        lists.0.push((key % 7 != 3).then_some(format!("the key of a group {key}")));
        lists.1.push((next() % 5 != 0).then(|| (next() % 1000) as f64 / 8.0 - 60.0));
        lists.2.push((next() % 5 != 0).then(|| (next() % 2000) as i32 - 1000));
        lists.3.push((next() % 5 != 0).then(|| i128::from(next()) - (1 << 54)));
    }
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("k", Arc::new(StringViewArray::from_iter(lists.0)), true),
        ("x", Arc::new(Float64Array::from(lists.1)), true),
        ("i", Arc::new(Int32Array::from(lists.2)), true),
        ("d", Arc::new(Decimal128Array::from(lists.3).with_precision_and_scale(20, 0).unwrap()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn cx(limit: usize, mask: u64) -> Cx {
    let tuning =
        Tuning { batch_rows: 100, radix_bits: Some(2), preaggregate_slots: 64, hash_mask: mask, ..Tuning::default() };
    Cx {
        tuning: Arc::new(tuning),
        memory: Memory { budget: Budget::new(limit), pool: PagePool::new(4096) },
        scratch: Scratch::new(vec![], None, 0).unwrap(),
        wakers: Wakers::deaf(),
        cancel: Cancel::default(),
        threads: 1,
    }
}

/// The result by key, and the bytes spilled and whether anything was divided.
fn run(data: &RecordBatch, groups: Vec<usize>, limit: usize, mask: u64) -> (BTreeMap<String, Vec<String>>, u64, bool) {
    let (cx, meter) = (cx(limit, mask), Arc::new(Meter::default()));
    let list: Vec<Quantile> =
        LISTED.iter().map(|(argument, rank)| Quantile { argument: *argument, rank: *rank }).collect();
    let fields = groups.iter().chain(LISTED.iter().map(|(c, _)| c)).map(|c| data.schema().field(*c).clone());
    let output = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let keys = groups.len();
    let op = QuantileOp::new(&data.schema(), groups, &list, output, &cx.tuning, limit, meter.clone()).unwrap();
    let mut sink = op.local(&cx).unwrap();
    for at in (0..data.num_rows()).step_by(100) {
        let rows = data.slice(at, 100.min(data.num_rows() - at));
        let mut flow = sink.push(Batch::new(rows, Position::default()), &cx).unwrap();
        while let Flow::Starved(starved) = flow {
            assert!(sink.spill(starved.bytes, &cx).unwrap() > 0, "nobody has memory to give");
            flow = sink.resume(&cx).unwrap();
        }
    }
    sink.finish(&cx).unwrap();
    let mut source = op.open(0, 0, &cx).unwrap();
    let mut result = BTreeMap::new();
    loop {
        match source.next(&cx).unwrap() {
            Pull::Batch(batch) => {
                for row in 0..batch.rows() {
                    let mut cells = batch.data.columns().iter().map(|c| cell(c, row));
                    let key = cells.by_ref().take(keys).collect::<String>();
                    assert!(result.insert(key, cells.collect::<Vec<_>>()).is_none(), "a group is there twice");
                }
            }
            Pull::Empty => {}
            Pull::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(cx.memory.budget.peak() <= limit, "the budget was exceeded");
    drop((source, op));
    assert_eq!(cx.memory.budget.held(), 0, "memory is held after the end");
    (result, meter.spilled(), !meter.notes().is_empty())
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) { "NULL".into() } else { array_value_to_string(column, row).unwrap() }
}

/// The same from sorted lists.
fn expected(data: &RecordBatch, by_key: bool) -> BTreeMap<String, Vec<String>> {
    let mut rows: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in 0..data.num_rows() {
        rows.entry(if by_key { cell(data.column(0), row) } else { String::new() }).or_default().push(row);
    }
    let quantile = |rows: &[usize], column: usize, rank: Rank| {
        let column = data.column(column);
        let mut rows: Vec<usize> = rows.iter().copied().filter(|r| column.is_valid(*r)).collect();
        if rows.is_empty() {
            return "NULL".to_string();
        }
        let middle = ((rows.len() - 1) / 2, rows.len() / 2);
        if let Some(floats) = column.as_primitive_opt::<arrow::datatypes::Float64Type>() {
            let mut list: Vec<f64> = rows.drain(..).map(|r| floats.value(r)).collect();
            list.sort_by(f64::total_cmp);
            let value = match rank {
                Rank::Median => (list[middle.0] + list[middle.1]) / 2.0,
                Rank::Discrete(p) => list[((p * list.len() as f64).ceil() as usize).max(1) - 1],
                Rank::DiscreteFromTop(p) => list[list.len() - ((p * list.len() as f64).ceil() as usize).max(1)],
                Rank::Continuous(p) => {
                    let at = p * (list.len() - 1) as f64;
                    let (a, b) = (list[at.floor() as usize], list[at.ceil() as usize]);
                    a + (b - a) * at.fract()
                }
            };
            return array_value_to_string(&Float64Array::from(vec![value]), 0).unwrap();
        }
        let mut list: Vec<i128> = rows.iter().map(|r| cell(column, *r).parse().unwrap()).collect();
        list.sort();
        ((list[middle.0] + list[middle.1]) / 2).to_string()
    };
    let all = |rows: Vec<usize>| LISTED.iter().map(|(c, rank)| quantile(&rows, *c, *rank)).collect();
    rows.into_iter().map(|(key, rows)| (key, all(rows))).collect()
}

#[test]
fn agrees_with_sorted_lists_where_there_is_room() {
    for (rows, groups, giant) in [(0, 1, 0), (1, 1, 0), (5000, 40, 0), (5000, 3000, 5)] {
        let data = data(rows, groups, giant);
        assert_eq!(run(&data, vec![0], 64 << 20, u64::MAX).0, expected(&data, true));
        assert_eq!(run(&data, vec![], 64 << 20, u64::MAX).0, expected(&data, false));
    }
}

const LITTLE: usize = 600 << 10;

#[test]
fn agrees_in_little_memory() {
    let data = data(40_000, 900, 0);
    let (got, spilled, divided) = run(&data, vec![0], LITTLE, u64::MAX);
    assert_eq!(got, expected(&data, true));
    assert!(spilled > 0 && divided);
}

#[test]
fn a_giant_group_is_selected_from_scratch() {
    for groups in [vec![0], vec![]] {
        let data = data(40_000, 300, 8);
        let (got, spilled, divided) = run(&data, groups.clone(), LITTLE, u64::MAX);
        assert_eq!(got, expected(&data, !groups.is_empty()));
        assert!(spilled > 0 && divided);
    }
}

#[test]
fn equal_hashes_only_cost_time() {
    let data = data(20_000, 12, 0);
    assert_eq!(run(&data, vec![0], LITTLE, 0).0, expected(&data, true));
}

#[test]
fn what_has_no_middle_is_refused() {
    let data = data(1, 1, 0);
    let list = [Quantile { argument: 0, rank: Rank::Median }];
    let e = QuantileOp::new(&data.schema(), vec![], &list, data.schema(), &Tuning::default(), 1 << 20, Arc::default());
    assert_eq!(e.err().map(|e| e.kind()), Some(crate::ErrorKind::Unsupported));
}
