//! Every aggregate against a slow oracle, under roomy and starved budgets, driven as a scheduler would.

use super::*;
use crate::batch::{Batch, Position};
use crate::config::Tuning;
use crate::memory::{Budget, Memory, PagePool, Request};
use crate::ops::{Cancel, Cx, Flow, Pull};
use crate::store::Scratch;
use crate::wake::Wakers;
use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, i256};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use std::collections::BTreeMap;

/// How a query is run.
#[derive(Clone, Copy, Debug)]
struct Run {
    limit: usize,
    page: usize,
    bits: u32,
    slots: usize,
    mask: u64,
    batch: usize,
    workers: usize,
    refuse: u64,
}

const ROOMY: Run =
    Run { limit: 1 << 30, page: 4096, bits: 3, slots: 1 << 12, mask: u64::MAX, batch: 8192, workers: 2, refuse: 0 };
/// A little more than the floors of two workers.
const STARVED: Run = Run { limit: 220 << 10, bits: 2, slots: 64, ..ROOMY };

fn cx(run: Run) -> Cx {
    let refuse = run.refuse;
    let budget = match refuse {
        0 => Budget::new(run.limit),
        _ => Budget::with_refusal(
            run.limit,
            Some(Box::new(move |asked| matches!(asked, Request::Growth(n) if n % refuse == 0))),
        ),
    };
    let tuning = Tuning {
        batch_rows: run.batch,
        radix_bits: Some(run.bits),
        preaggregate_slots: run.slots,
        hash_mask: run.mask,
        ..Tuning::default()
    };
    Cx {
        tuning: Arc::new(tuning),
        memory: Memory { budget, pool: PagePool::new(run.page) },
        scratch: Scratch::new(vec![], None, 0).unwrap(),
        wakers: Wakers::deaf(),
        cancel: Cancel::default(),
        threads: run.workers,
    }
}

/// What a run did besides its answer.
struct Ran {
    result: RecordBatch,
    spilled: u64,
    divided: bool,
    /// Rows after the first phase.
    left: u64,
}

/// Answers starvation as the scheduler does: somebody spills; where nobody can, the test fails.
fn help(sinks: &mut [Box<dyn Sink>], op: &AggregateOp, bytes: usize, cx: &Cx) {
    let mut given = 0;
    for sink in sinks.iter_mut() {
        given += sink.spill(bytes, cx).unwrap();
    }
    given += SinkOp::spill(op, bytes, cx).unwrap();
    assert!(given > 0 || cx.memory.budget.free() >= bytes, "nobody has memory to give");
}

fn run(run: Run, data: &RecordBatch, groups: &[usize], aggregates: &[Aggregate], types: &[DataType]) -> Result<Ran> {
    let cx = cx(run);
    let schema = data.schema();
    let mut fields: Vec<Field> =
        groups.iter().filter_map(|g| schema.fields().get(*g)).map(|f| f.as_ref().clone()).collect();
    fields.extend(types.iter().enumerate().map(|(i, t)| Field::new(format!("a{i}"), t.clone(), true)));
    let (meter, output) = (Arc::new(Meter::default()), Arc::new(Schema::new(fields)));
    let limit = cx.memory.budget.limit();
    let op = AggregateOp::new(&schema, groups.to_vec(), aggregates, output.clone(), &cx.tuning, limit, meter.clone())?;
    let mut sinks = (0..run.workers).map(|_| op.local(&cx)).collect::<Result<Vec<_>>>()?;
    for (n, at) in (0..data.num_rows()).step_by(run.batch).enumerate() {
        let rows = data.slice(at, run.batch.min(data.num_rows() - at));
        let worker = n % run.workers;
        let mut flow = sinks[worker].push(Batch::new(rows, Position::default()), &cx)?;
        while let Flow::Starved(starved) = flow {
            help(&mut sinks, &op, starved.bytes, &cx);
            flow = sinks[worker].resume(&cx)?;
        }
    }
    sinks.into_iter().try_for_each(|s| Sink::finish(s, &cx))?;
    let sizes = SinkOp::finish(&op, &cx)?;
    // A group that outgrew its row is counted with the row that is dead.
    assert!(sizes.rows() as usize <= 2 * data.num_rows());
    let mut batches = Vec::new();
    let mut sources = (0..2.min(run.workers)).map(|i| op.open(0, i, &cx)).collect::<Result<Vec<_>>>()?;
    let mut starved = 0;
    while !sources.is_empty() {
        for i in (0..sources.len()).rev() {
            match sources[i].next(&cx)? {
                Pull::Batch(batch) => {
                    starved = 0;
                    assert!(batch.rows() > 0 && batch.rows() <= run.batch);
                    batches.push(batch.data);
                }
                Pull::Empty => starved = 0,
                Pull::End => drop(sources.remove(i)),
                // Another source may go on and give memory back.
                Pull::Starved(_) => {
                    starved += 1;
                    assert!(starved <= sources.len(), "nobody has memory to give");
                }
                Pull::Wait(_) => unreachable!("it waits for nothing"),
            }
        }
    }
    assert!(cx.memory.budget.peak() <= run.limit, "the budget was exceeded");
    drop(op);
    assert_eq!(cx.memory.budget.held(), 0, "memory is held after the end");
    let divided = !meter.notes().is_empty();
    Ok(Ran { result: concat_batches(&output, &batches)?, spilled: meter.spilled(), divided, left: sizes.rows() })
}

fn aggregate(function: Function, arguments: &[usize]) -> Aggregate {
    Aggregate { function, arguments: arguments.to_vec(), filter: None }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }
}

/// Columns: 0 int key, 1 text key, 2 float key, 3 int, 4 float, 5 text, 6 bool, 7 decimal, 8 filter, 9 u64.
fn data(rows: usize, groups: u64, giant: bool, seed: u64) -> RecordBatch {
    let mut r = Random(seed | 1);
    let keys: Vec<u64> = (0..rows).map(|_| if giant && r.below(10) < 8 { 0 } else { r.below(groups.max(1)) }).collect();
    let null = |r: &mut Random| r.below(9) == 0;
    let text = |k: u64| if k.is_multiple_of(3) { format!("{k}") } else { format!("a key that is not inline {k}") };
    let floats = [0.0, -0.0, f64::NAN, f64::from_bits(f64::NAN.to_bits() | 1 << 63), 1.5];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(keys.iter().map(|k| (k % 17 != 5).then_some(*k as i64 * 1000)))),
        Arc::new(StringViewArray::from_iter(keys.iter().map(|k| (k % 19 != 6).then(|| text(*k))))),
        Arc::new(Float64Array::from_iter(keys.iter().map(|k| (k % 7 != 6).then(|| floats[(k % 5) as usize])))),
        Arc::new(Int32Array::from_iter((0..rows).map(|_| (!null(&mut r)).then(|| r.next() as i32)))),
        Arc::new(Float64Array::from_iter(
            (0..rows).map(|_| (!null(&mut r)).then(|| (r.next() as i64 as f64) * 10f64.powi(r.below(20) as i32 - 22))),
        )),
        Arc::new(StringViewArray::from_iter((0..rows).map(|_| {
            let n = r.below(40) as usize;
            (!null(&mut r)).then(|| format!("{}{}", "z".repeat(n), r.below(1000)))
        }))),
        Arc::new(BooleanArray::from_iter((0..rows).map(|_| (!null(&mut r)).then(|| r.below(4) != 0)))),
        Arc::new(
            Decimal128Array::from_iter((0..rows).map(|_| (!null(&mut r)).then(|| i128::from(r.next() as i64 >> 10))))
                .with_precision_and_scale(20, 2)
                .unwrap(),
        ),
        Arc::new(BooleanArray::from_iter((0..rows).map(|_| (!null(&mut r)).then(|| r.below(2) == 0)))),
        Arc::new(UInt64Array::from_iter((0..rows).map(|_| (!null(&mut r)).then(|| r.next() >> 20)))),
    ];
    let fields: Vec<Field> =
        columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn show(array: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default().with_null("NULL");
    ArrayFormatter::try_new(array, &options).unwrap().value(row).to_string()
}

/// The key of a row as text, with one zero and one NaN.
fn key(data: &RecordBatch, groups: &[usize], row: usize) -> Vec<String> {
    let cell = |g: &usize| match show(data.column(*g), row).as_str() {
        "-0.0" => "0.0".to_string(),
        other => other.to_string(),
    };
    groups.iter().map(cell).collect()
}

fn by_key(data: &RecordBatch, groups: &[usize]) -> BTreeMap<Vec<String>, Vec<usize>> {
    let mut map: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for row in 0..data.num_rows() {
        map.entry(key(data, groups, row)).or_default().push(row);
    }
    map
}

/// All aggregates that are tested together, with their result types.
fn all() -> (Vec<Aggregate>, Vec<DataType>) {
    use DataType as T;
    use Function as F;
    let list = vec![
        (aggregate(F::Count, &[]), T::Int64),
        (aggregate(F::Count, &[3]), T::Int64),
        (aggregate(F::Sum, &[3]), T::Int64),
        (aggregate(F::Sum, &[4]), T::Float64),
        (aggregate(F::Avg, &[4]), T::Float64),
        (aggregate(F::Min, &[3]), T::Int32),
        (aggregate(F::Max, &[5]), T::Utf8View),
        (aggregate(F::Min, &[5]), T::Utf8View),
        (aggregate(F::BoolAnd, &[6]), T::Boolean),
        (aggregate(F::BoolOr, &[6]), T::Boolean),
        (aggregate(F::Sum, &[7]), T::Decimal128(30, 2)),
        (aggregate(F::Avg, &[7]), T::Decimal128(24, 6)),
        (aggregate(F::Max, &[7]), T::Decimal128(20, 2)),
        (aggregate(F::BitXor, &[9]), T::UInt64),
        (Aggregate { function: F::Sum, arguments: vec![9], filter: Some(8) }, T::UInt64),
        (aggregate(F::Variance { sample: true }, &[4]), T::Float64),
        (aggregate(F::Stddev { sample: false }, &[4]), T::Float64),
        (aggregate(F::Corr, &[4, 3]), T::Float64),
        (aggregate(F::Covariance { sample: false }, &[4, 3]), T::Float64),
        (aggregate(F::Max, &[4]), T::Float64),
        (aggregate(F::BitAnd, &[9]), T::UInt64),
        (aggregate(F::BitOr, &[3]), T::Int32),
        (aggregate(F::Pick(Pick { descending: 1, nulls_first: 0, required: 7 }), &[3, 9, 5]), T::Utf8View),
        (aggregate(F::StandardError, &[4]), T::Float64),
        (aggregate(F::Kurtosis { sample: false }, &[4]), T::Float64),
        (aggregate(F::Regression(Regression::Slope), &[4, 3]), T::Float64),
    ];
    list.into_iter().unzip()
}

/// The slow values of `all`, and by how much floats may be off.
fn expected(data: &RecordBatch, rows: &[usize]) -> Vec<(String, f64)> {
    fn text<T: ToString>(v: Option<T>) -> (String, f64) {
        (v.map_or("NULL".into(), |v| v.to_string()), 0.0)
    }
    fn float(v: Option<f64>, scale: f64, tolerance: f64) -> (String, f64) {
        (v.map_or("NULL".into(), |v| format!("{v:?}")), tolerance * scale)
    }
    let ints: Vec<i64> = rows
        .iter()
        .filter(|r| data.column(3).is_valid(**r))
        .map(|r| i64::from(data.column(3).as_primitive::<arrow::datatypes::Int32Type>().value(*r)))
        .collect();
    let f = data.column(4).as_primitive::<arrow::datatypes::Float64Type>();
    let floats: Vec<f64> = rows.iter().filter(|r| f.is_valid(**r)).map(|r| f.value(*r)).collect();
    let texts: Vec<&str> = rows
        .iter()
        .filter(|r| data.column(5).is_valid(**r))
        .map(|r| data.column(5).as_string_view().value(*r))
        .collect();
    let bools: Vec<bool> =
        rows.iter().filter(|r| data.column(6).is_valid(**r)).map(|r| data.column(6).as_boolean().value(*r)).collect();
    let decimals: Vec<i128> = rows
        .iter()
        .filter(|r| data.column(7).is_valid(**r))
        .map(|r| data.column(7).as_primitive::<arrow::datatypes::Decimal128Type>().value(*r))
        .collect();
    let u = data.column(9).as_primitive::<arrow::datatypes::UInt64Type>();
    let words: Vec<u64> = rows.iter().filter(|r| u.is_valid(**r)).map(|r| u.value(*r)).collect();
    let filter = data.column(8).as_boolean();
    let filtered: Vec<u64> = rows
        .iter()
        .filter(|r| u.is_valid(**r) && filter.is_valid(**r) && filter.value(**r))
        .map(|r| u.value(*r))
        .collect();
    let pairs: Vec<(f64, f64)> = rows
        .iter()
        .filter(|r| f.is_valid(**r) && data.column(3).is_valid(**r))
        .map(|r| (f.value(*r), f64::from(data.column(3).as_primitive::<arrow::datatypes::Int32Type>().value(*r))))
        .collect();
    // Exact sum of floats: multiples of 2^-200 would not fit; Neumaier over values sorted by magnitude is near enough.
    let mut sorted = floats.clone();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (high, low) = sorted.iter().fold((0.0, 0.0), |(h, l), x| float::add(h, l, *x));
    let sum = high + low;
    let some = |v: f64, list: usize| (list > 0).then_some(v);
    let n = floats.len();
    let mean = sum / n as f64;
    let m2: f64 = floats.iter().map(|x| (x - mean) * (x - mean)).sum();
    let k = pairs.len() as f64;
    let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / k, pairs.iter().map(|p| p.1).sum::<f64>() / k);
    let co: f64 = pairs.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
    let xx: f64 = pairs.iter().map(|p| (p.0 - mx) * (p.0 - mx)).sum();
    let yy: f64 = pairs.iter().map(|p| (p.1 - my) * (p.1 - my)).sum();
    let decimal = |v: i128, scale: u32| {
        let unit = 10i128.pow(scale);
        format!("{}{}.{:0w$}", if v < 0 { "-" } else { "" }, v.abs() / unit, v.abs() % unit, w = scale as usize)
    };
    let total: i128 = decimals.iter().sum();
    let first = rows.iter().filter(|r| [3, 9, 5].iter().all(|c| data.column(*c).is_valid(**r)));
    let int = |r: usize| data.column(3).as_primitive::<arrow::datatypes::Int32Type>().value(r);
    let first =
        first.min_by_key(|r| (-i64::from(int(**r)), u.value(**r))).map(|r| data.column(5).as_string_view().value(*r));
    let m4: f64 = floats.iter().map(|x| (x - mean).powi(4)).sum();
    let ratio = m4 / n as f64 / (m2 / n as f64).powi(2);
    let covar_scale = (xx * yy).sqrt() / k;
    vec![
        text(Some(rows.len())),
        text(Some(ints.len())),
        text(some(0.0, ints.len()).map(|_| ints.iter().sum::<i64>())),
        float(some(sum, n), sum.abs(), 1e-14),
        float(some(mean, n), mean.abs(), 1e-14),
        text(ints.iter().min()),
        text(texts.iter().max()),
        text(texts.iter().min()),
        text(some(0.0, bools.len()).map(|_| bools.iter().all(|b| *b))),
        text(some(0.0, bools.len()).map(|_| bools.iter().any(|b| *b))),
        text(some(0.0, decimals.len()).map(|_| decimal(total, 2))),
        text(some(0.0, decimals.len()).map(|_| decimal(total * 10_000 / decimals.len() as i128, 6))),
        text(decimals.iter().max().map(|v| decimal(*v, 2))),
        text(words.iter().copied().reduce(|a, b| a ^ b)),
        text(some(0.0, filtered.len()).map(|_| filtered.iter().sum::<u64>())),
        float((n > 1).then(|| m2 / (n as f64 - 1.0)), m2, 1e-11),
        float(some((m2 / n as f64).sqrt(), n), m2.sqrt(), 1e-11),
        float((k >= 2.0 && xx > 0.0 && yy > 0.0).then(|| co / xx.sqrt() / yy.sqrt()), 1.0, 1e-10),
        float((k > 0.0).then(|| co / k), covar_scale, 1e-10),
        float(floats.iter().copied().reduce(f64::max), 0.0, 0.0),
        text(words.iter().copied().reduce(|a, b| a & b)),
        text(ints.iter().copied().reduce(|a, b| a | b)),
        text(first),
        float(some((m2 / n as f64).sqrt() / (n as f64).sqrt(), n), m2.sqrt(), 1e-11),
        float((n > 1 && m2 > 0.0).then_some(ratio - 3.0), ratio, 1e-9),
        float((k > 0.0 && yy > 0.0).then(|| co / yy), (xx / yy).sqrt(), 1e-9),
    ]
}

fn check(setting: Run, data: &RecordBatch, groups: &[usize]) -> Ran {
    let (aggregates, types) = all();
    let ran = run(setting, data, groups, &aggregates, &types).unwrap();
    let keys: Vec<usize> = (0..groups.len()).collect();
    let expected_groups = by_key(data, groups);
    let got = by_key(&ran.result, &keys);
    assert_eq!(ran.result.num_rows(), expected_groups.len(), "{setting:?}");
    for (key, rows) in &expected_groups {
        let [row] = got[key][..] else { panic!("{key:?} is there {} times", got[key].len()) };
        for (i, (value, tolerance)) in expected(data, rows).into_iter().enumerate() {
            let column = ran.result.column(groups.len() + i);
            let result = show(column, row);
            let near = match (result.parse::<f64>(), value.parse::<f64>()) {
                (Ok(a), Ok(b)) if types[i] == DataType::Float64 => a == b || (a - b).abs() <= tolerance,
                _ => result == value,
            };
            assert!(near, "{:?} of {key:?}: {result} instead of {value}; {setting:?}", aggregates[i]);
        }
    }
    ran
}

#[test]
fn agrees_with_the_oracle_where_there_is_room() {
    for groups in [&[0][..], &[1], &[0, 1], &[2], &[3], &[0, 9], &[6, 8], &[1, 2, 0]] {
        for (rows, count) in [(0, 1), (1, 1), (3000, 3), (3000, 2500)] {
            let data = data(rows, count, false, 11 + rows as u64);
            let ran = check(ROOMY, &data, groups);
            assert_eq!(ran.spilled, 0);
        }
    }
}

#[test]
fn a_table_grows_where_all_groups_fit_a_larger_one() {
    let small = Run { slots: 64, workers: 1, ..ROOMY };
    let few = check(small, &data(20_000, 500, false, 5), &[0]);
    assert!(few.left < 5_000, "{} rows are left of 500 groups", few.left);
    let many = check(small, &data(6_000, 60_000, false, 6), &[0]);
    assert!(many.left > 4_500, "{} rows are left of almost as many groups", many.left);
}

#[test]
fn rows_that_come_together_need_no_large_table() {
    let data = data(20_000, 5_000, false, 5);
    let order = arrow::compute::sort_to_indices(data.column(0), None, None).unwrap();
    let data = arrow::compute::take_record_batch(&data, &order).unwrap();
    for setting in [ROOMY, STARVED] {
        let small = Run { slots: 64, workers: 1, ..setting };
        check(small, &data, &[0]);
        let ran = run(small, &data, &[0], &[], &[]).unwrap();
        let groups = ran.result.num_rows() as u64;
        assert!(ran.left < groups + groups / 8, "{} rows are left of {groups} groups; {setting:?}", ran.left);
    }
}

/// A row is often the same group as the one before it, by equal hashes also where it is not.
#[test]
fn rows_that_come_in_the_order_of_their_keys() {
    let data = data(3000, 700, false, 12);
    for groups in [&[0][..], &[1], &[2], &[6], &[0, 9], &[0, 2], &[1, 2, 0]] {
        let keys: Vec<_> = groups
            .iter()
            .map(|g| arrow::compute::SortColumn { values: data.column(*g).clone(), options: None })
            .collect();
        let order = arrow::compute::lexsort_to_indices(&keys, None).unwrap();
        let sorted = arrow::compute::take_record_batch(&data, &order).unwrap();
        for mask in [u64::MAX, 3, 0] {
            check(Run { mask, ..ROOMY }, &sorted, groups);
            check(Run { mask, batch: 7, ..STARVED }, &sorted, groups);
        }
    }
}

#[test]
fn agrees_with_the_oracle_in_little_memory() {
    let data = data(20_000, 6000, false, 5);
    for groups in [&[0][..], &[1], &[0, 1, 2]] {
        let ran = check(STARVED, &data, groups);
        assert!(ran.spilled > 0, "nothing was spilled");
        assert!(ran.divided, "no partition was divided");
    }
}

#[test]
fn one_giant_key_is_one_group() {
    let data = data(20_000, 3000, true, 6);
    assert!(check(STARVED, &data, &[0]).spilled > 0);
    assert!(check(STARVED, &data, &[1]).spilled > 0);
}

#[test]
fn equal_hashes_only_cost_time() {
    let data = data(3000, 700, false, 7);
    check(Run { mask: 0, ..ROOMY }, &data, &[0]);
    check(Run { mask: 0, ..STARVED }, &data, &[1]);
}

#[test]
fn batches_of_any_size_and_any_number_of_workers() {
    let data = data(1500, 200, false, 8);
    for batch in [1, 7, 8192] {
        for workers in [1, 2] {
            check(Run { batch, workers, bits: 1, ..STARVED }, &data, &[0, 1]);
        }
    }
}

#[test]
fn refusals_at_any_moment_are_survived() {
    let data = data(5000, 1500, false, 9);
    for refuse in [1, 2, 3, 7] {
        check(Run { refuse, ..ROOMY }, &data, &[1]);
    }
}

#[test]
fn no_groups_is_one_row_also_of_nothing() {
    for rows in [1, 5000] {
        check(ROOMY, &data(rows, 10, false, 10), &[]);
    }
    let (aggregates, types) = all();
    let ran = run(ROOMY, &data(0, 1, false, 1), &[], &aggregates, &types).unwrap();
    assert_eq!(ran.result.num_rows(), 1);
    for (i, aggregate) in aggregates.iter().enumerate() {
        let expected = if aggregate.function == Function::Count { "0" } else { "NULL" };
        assert_eq!(show(ran.result.column(i), 0), expected, "{aggregate:?}");
    }
}

#[test]
fn no_aggregates_is_distinct() {
    let data = data(4000, 900, false, 12);
    for setting in [ROOMY, STARVED] {
        let ran = run(setting, &data, &[0, 2, 6], &[], &[]).unwrap();
        let expected = by_key(&data, &[0, 2, 6]);
        assert_eq!(ran.result.num_rows(), expected.len());
        assert!(by_key(&ran.result, &[0, 1, 2]).keys().eq(expected.keys()));
    }
}

/// Texts of every length around that of a view, which differ in any one place, by equal hashes too, up to the end of a page.
#[test]
fn one_text_is_a_key_by_its_views() {
    let mut r = Random(77);
    let mut text = || {
        let n = r.below(20) as usize;
        let mut text = vec![b'a'; n];
        if n > 0 {
            text[r.below(n as u64) as usize] = b'a' + r.below(3) as u8;
        }
        (r.below(30) > 0).then(|| String::from_utf8(text).unwrap())
    };
    let texts: Vec<Option<String>> = (0..6000).map(|_| text()).collect();
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    texts.iter().for_each(|t| *expected.entry(t.clone().unwrap_or("NULL".into())).or_default() += 1);
    let views: ArrayRef = Arc::new(StringViewArray::from_iter(&texts));
    let bytes = arrow::compute::cast(&views, &DataType::BinaryView).unwrap();
    let count = [aggregate(Function::Count, &[])];
    for (column, mask) in [(&views, u64::MAX), (&views, 0), (&views, 7), (&bytes, u64::MAX), (&bytes, 0)] {
        for setting in [ROOMY, STARVED, Run { page: 512, batch: 7, ..ROOMY }] {
            let setting = Run { mask, ..setting };
            let ran = run(setting, &one_column(column.clone()), &[0], &count, &[DataType::Int64]).unwrap();
            let keys = arrow::compute::cast(ran.result.column(0), &DataType::Utf8View).unwrap();
            let counts = ran.result.column(1).as_primitive::<arrow::datatypes::Int64Type>();
            let got: BTreeMap<String, i64> = (0..keys.len()).map(|i| (show(&keys, i), counts.value(i))).collect();
            assert_eq!((keys.len(), &got), (expected.len(), &expected), "{setting:?}");
        }
    }
}

fn one_column(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("x", column)]).unwrap()
}

#[test]
fn sums_are_exact_and_overflow_is_an_error() {
    let sum = [aggregate(Function::Sum, &[0])];
    let up = one_column(Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, -i64::MAX, 5])));
    let e = run(ROOMY, &up, &[], &sum, &[DataType::Int64]).err().unwrap();
    assert!(e.message().contains("overflow"), "{e}");
    let and_down = one_column(Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, -i64::MAX, -5])));
    let ran = run(Run { batch: 1, ..ROOMY }, &and_down, &[], &sum, &[DataType::Int64]).unwrap();
    assert_eq!(show(ran.result.column(0), 0), (i64::MAX - 5).to_string());
    let most = 10i128.pow(38) - 1;
    let decimals = Decimal128Array::from(vec![most, most, -most]).with_precision_and_scale(38, 0).unwrap();
    let ran = run(ROOMY, &one_column(Arc::new(decimals)), &[], &sum, &[DataType::Decimal128(38, 0)]).unwrap();
    assert_eq!(show(ran.result.column(0), 0), most.to_string());
    let decimals = Decimal128Array::from(vec![most, 1]).with_precision_and_scale(38, 0).unwrap();
    assert!(run(ROOMY, &one_column(Arc::new(decimals)), &[], &sum, &[DataType::Decimal128(38, 0)]).is_err());
    let huge = Decimal256Array::from(vec![i256::from_i128(most), i256::from_i128(most)]);
    let huge = huge.with_precision_and_scale(60, 0).unwrap();
    let ran = run(ROOMY, &one_column(Arc::new(huge)), &[], &sum, &[DataType::Decimal256(70, 0)]).unwrap();
    assert_eq!(show(ran.result.column(0), 0), (i256::from_i128(most) + i256::from_i128(most)).to_string());
}

#[test]
fn extremes_of_every_type_keep_their_order() {
    use arrow::compute::{SortOptions, sort};
    use arrow::datatypes::*;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int8Array::from(vec![Some(3), None, Some(-128), Some(127)])),
        Arc::new(UInt16Array::from(vec![3, 65535, 0])),
        Arc::new(Float32Array::from(vec![-1.5, -0.0, 0.0, f32::NEG_INFINITY, 7.0])),
        Arc::new(Float64Array::from(vec![f64::NAN, 2.0, -3.0])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        Arc::new(Date32Array::from(vec![-5, 9])),
        Arc::new(TimestampNanosecondArray::from(vec![i64::MIN, 0, i64::MAX]).with_timezone("+02:00")),
        Arc::new(Decimal64Array::from(vec![-7, 2]).with_precision_and_scale(10, 3).unwrap()),
        Arc::new(Decimal256Array::from(vec![i256::MIN, i256::ONE]).with_precision_and_scale(76, 0).unwrap()),
        Arc::new(IntervalMonthDayNanoArray::from(vec![
            IntervalMonthDayNano::new(1, -5, 9),
            IntervalMonthDayNano::new(-1, 5, 9),
            IntervalMonthDayNano::new(1, -5, -9),
            IntervalMonthDayNano::new(1, -6, 10),
        ])),
        Arc::new(IntervalDayTimeArray::from(vec![
            IntervalDayTime::new(1, -5),
            IntervalDayTime::new(-1, 5),
            IntervalDayTime::new(1, 4),
        ])),
        Arc::new(BinaryViewArray::from(vec![Some(&b"b"[..]), None, Some(b""), Some(b"a longer one than inline")])),
        Arc::new(StringArray::from(vec!["b", "a"])),
    ];
    for column in columns {
        let t = column.data_type().clone();
        let options = Some(SortOptions { descending: false, nulls_first: true });
        let sorted = sort(&column, options).unwrap();
        let (least, most) = (show(&sorted, column.null_count()), show(&sorted, column.len() - 1));
        let both = [aggregate(Function::Min, &[0]), aggregate(Function::Max, &[0])];
        let ran = run(Run { batch: 1, ..ROOMY }, &one_column(column), &[], &both, &[t.clone(), t.clone()]).unwrap();
        assert_eq!((show(ran.result.column(0), 0), show(ran.result.column(1), 0)), (least, most), "{t}");
    }
}

/// Keys and texts larger than a page, and texts that grow.
#[test]
fn rows_larger_than_a_page() {
    let n = 600;
    let keys: Vec<String> =
        (0..n).map(|i| if i % 5 == 0 { "k".repeat(5000 + i % 3) } else { format!("{}", i % 50) }).collect();
    let texts: Vec<String> = (0..n).map(|i| "t".repeat(i * 13 % 6000)).collect();
    let columns: [(&str, ArrayRef); 2] = [
        ("k", Arc::new(StringViewArray::from_iter_values(&keys))),
        ("t", Arc::new(StringViewArray::from_iter_values(&texts))),
    ];
    let data = RecordBatch::try_from_iter(columns).unwrap();
    let list = [aggregate(Function::Max, &[1]), aggregate(Function::Min, &[1]), aggregate(Function::Count, &[])];
    let types = [DataType::Utf8View, DataType::Utf8View, DataType::Int64];
    for setting in [ROOMY, Run { limit: 400 << 10, ..STARVED }] {
        let ran = run(setting, &data, &[0], &list, &types).unwrap();
        let got = by_key(&ran.result, &[0]);
        let expected = by_key(&data, &[0]);
        assert_eq!(got.len(), expected.len());
        assert_eq!(ran.result.num_rows(), expected.len());
        for (key, rows) in expected {
            let row = got[&key][0];
            let value = |i: usize| show(ran.result.column(i), row);
            assert_eq!(Some(&value(1)), rows.iter().map(|r| &texts[*r]).max());
            assert_eq!(Some(&value(2)), rows.iter().map(|r| &texts[*r]).min());
            assert_eq!(value(3), rows.len().to_string());
        }
    }
}

#[test]
fn what_cannot_be_aggregated_is_refused_before_reading() {
    let data = data(1, 1, false, 1);
    let e = run(ROOMY, &data, &[0], &[aggregate(Function::Sum, &[5])], &[DataType::Int64]).err().unwrap();
    assert_eq!(e.kind(), crate::ErrorKind::Unsupported);
    let e = run(ROOMY, &data, &[99], &[], &[]).err().unwrap();
    assert_eq!(e.kind(), crate::ErrorKind::Internal);
}
