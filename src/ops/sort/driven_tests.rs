//! A sort driven as a scheduler would, with memory refused at every request and disks that break at every operation.

use super::*;
use crate::batch::{Batch, Position};
use crate::error::ErrorKind;
use crate::graph::{Facts, Layout};
use crate::memory::{Budget, Memory, PagePool, Request};
use crate::ops::{Cancel, Flow, Pull, Step};
use crate::store::{Fault, FaultyDisk, Scratch, ScratchOptions};
use crate::wake::Wakers;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::compute::SortOptions;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How a sort is run.
#[derive(Clone, Copy, Debug)]
struct Setup {
    limit: usize,
    fan_in: usize,
    workers: usize,
    fetch: Option<usize>,
    /// The request for memory that is refused, and every how many after it.
    refuse: Option<(u64, u64)>,
    fault: Fault,
    n: u64,
}

const PAGE: usize = 4096;
const BATCH: usize = 64;
const ROOMY: Setup =
    Setup { limit: 8 << 20, fan_in: 64, workers: 2, fetch: None, refuse: None, fault: Fault::None, n: 0 };
/// A little more than two workers must have.
const STARVED: Setup = Setup { limit: 560 << 10, fan_in: 2, ..ROOMY };

/// What a run did.
#[derive(Debug)]
struct Ran {
    ids: Vec<i64>,
    requests: u64,
    operations: u64,
    passes: usize,
    spilled: u64,
}

struct Driver {
    cx: Cx,
    disk: Arc<FaultyDisk>,
    requests: Arc<AtomicU64>,
    op: SortOp,
    meter: Arc<Meter>,
}

impl Driver {
    fn new(setup: Setup, schema: &SchemaRef) -> Result<Self> {
        let requests = Arc::new(AtomicU64::new(0));
        let (seen, refuse) = (requests.clone(), setup.refuse);
        let refused = move |asked: Request| {
            let Request::Growth(n) = asked else { return false };
            seen.store(n, Relaxed);
            refuse.is_some_and(|(first, every)| n >= first && (n - first).is_multiple_of(every))
        };
        let tuning = Tuning {
            batch_rows: BATCH,
            batch_bytes: 8 << 10,
            merge_fan_in: setup.fan_in,
            scratch_write_bytes: PAGE,
            ..Tuning::default()
        };
        let disk = Arc::new(FaultyDisk::new(setup.fault, setup.n, 11));
        let options = ScratchOptions { write_bytes: PAGE, limit: Some(1 << 30), ..ScratchOptions::default() };
        let budget = Budget::with_refusal(setup.limit, Some(Box::new(refused)));
        let cx = Cx {
            memory: Memory { budget, pool: PagePool::new(PAGE) },
            scratch: Scratch::with_disk(options, disk.clone())?,
            wakers: Wakers::deaf(),
            cancel: Cancel::default(),
            threads: setup.workers,
            tuning: Arc::new(tuning),
        };
        let meter = Arc::new(Meter::default());
        let key = |column| SortKey { column, options: SortOptions::default() };
        let keys = [key(1), key(2)].into();
        let spec = SortSpec { input: schema.clone(), columns: schema.fields().len(), keys, fetch: setup.fetch };
        let op = SortOp::new(spec, &cx.tuning, setup.limit, PAGE, setup.workers, meter.clone())?;
        Ok(Driver { cx, disk, requests, op, meter })
    }

    /// Answers starvation: somebody spills.
    fn help(&self, sinks: &mut [Box<dyn Sink>], own: usize) -> Result<()> {
        let held = |sink: &dyn Sink| sink.reservation().map_or(0, |r| r.held().saturating_sub(r.floor()));
        let most = (0..sinks.len()).max_by_key(|i| held(&*sinks[*i])).unwrap_or(own);
        sinks[most].spill(PAGE, &self.cx)?;
        Ok(())
    }

    fn gather(&self, setup: Setup, data: &RecordBatch) -> Result<Sizes> {
        let mut sinks = (0..setup.workers).map(|_| self.op.local(&self.cx)).collect::<Result<Vec<_>>>()?;
        for (n, at) in (0..data.num_rows()).step_by(BATCH).enumerate() {
            let rows = data.slice(at, BATCH.min(data.num_rows() - at));
            let position = Position { split: n as u64 / 5, row: (n as u64 % 5) * BATCH as u64 };
            let worker = (n / 5) % setup.workers;
            let mut flow = sinks[worker].push(Batch::new(rows, position), &self.cx)?;
            while let Flow::Starved(_) = flow {
                self.help(&mut sinks, worker)?;
                flow = sinks[worker].resume(&self.cx)?;
            }
        }
        sinks.into_iter().try_for_each(|sink| sink.finish(&self.cx))?;
        SinkOp::finish(&self.op, &self.cx)
    }

    fn merge_runs(&self, setup: Setup, sizes: Sizes) -> Result<(Sizes, usize)> {
        let (layout, work) = self.op.passes();
        let (mut sizes, mut round, mut passes) = (sizes, 0, 0);
        loop {
            let facts = Facts { sizes: &[sizes], round, share: 0, threads: setup.workers };
            let laid = layout.next(&facts);
            if laid.tasks == 0 {
                return Ok((work.sizes(), passes));
            }
            for first in (0..laid.tasks).step_by(setup.workers) {
                let most = laid.tasks.min(first + setup.workers);
                let mut tasks = (first..most).map(|i| work.open(round, i, &self.cx)).collect::<Result<Vec<_>>>()?;
                while let Some(mut task) = tasks.pop() {
                    match task.step(&self.cx)? {
                        Step::Done => {}
                        _ => tasks.insert(0, task),
                    }
                }
            }
            passes += usize::from(round > 0);
            (sizes, round) = (work.sizes(), round + 1);
        }
    }

    fn put_out(&self, setup: Setup, sizes: Sizes) -> Result<Vec<RecordBatch>> {
        let facts = Facts { sizes: &[sizes], round: 0, share: 0, threads: setup.workers };
        let tasks = self.op.layout().next(&facts).tasks;
        let mut out = Vec::new();
        for i in 0..tasks {
            let mut source = SourceOp::open(&self.op, 0, i, &self.cx)?;
            loop {
                match source.next(&self.cx)? {
                    Pull::Batch(batch) => out.push(batch.data),
                    Pull::End => break,
                    Pull::Starved(starved) => panic!("a merge starves: {starved:?}"),
                    Pull::Empty | Pull::Wait(_) => {}
                }
            }
        }
        Ok(out)
    }
}

fn run(setup: Setup, data: &RecordBatch) -> Result<Ran> {
    let driver = Driver::new(setup, &data.schema())?;
    let ran = driver.gather(setup, data).and_then(|sizes| {
        let (sizes, passes) = driver.merge_runs(setup, sizes)?;
        Ok((driver.put_out(setup, sizes)?, passes))
    });
    let Driver { cx, disk, requests, op, meter } = driver;
    assert!(cx.memory.budget.peak() <= setup.limit, "the budget was exceeded: {}", cx.memory.budget.peak());
    drop(op);
    assert_eq!(cx.memory.budget.held(), 0, "memory is held after the end");
    assert_eq!(cx.memory.budget.free(), setup.limit, "something is in flight after the end");
    // An io thread may be about to close a file.
    let closed = |_: &u32| {
        std::thread::yield_now();
        cx.scratch.used() == 0
    };
    assert!((0..10_000_000).find(closed).is_some(), "{} bytes of scratch are left", cx.scratch.used());
    let (batches, passes) = ran?;
    let ids = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    Ok(Ran { ids, requests: requests.load(Relaxed), operations: disk.operations(), passes, spilled: meter.spilled() })
}

/// Columns: 0 the row's number, 1 a text with many ties, 2 an int with gaps, 3 filler.
fn data(rows: usize, long: usize) -> RecordBatch {
    let mut x = 88_172_645_463_325_252u64;
    let mut random = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let text = |r: u64| format!("{:>1$}", r % 40, if long > 0 && r.is_multiple_of(53) { long } else { 3 });
    let texts: Vec<Option<String>> = (0..rows).map(|_| (random() % 11 > 0).then(|| text(random()))).collect();
    let ints: Int64Array = (0..rows).map(|_| (random() % 7 > 0).then(|| (random() % 3) as i64)).collect();
    let filler: StringViewArray = (0..rows).map(|i| Some("filler ".repeat(i % 9))).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("text", Arc::new(StringViewArray::from_iter(texts.iter().map(|t| t.as_deref())))),
        ("int", Arc::new(ints)),
        ("filler", Arc::new(filler)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap()
}

/// A stable sort of the standard library; nulls first, as the keys say.
fn expected(data: &RecordBatch, fetch: Option<usize>) -> Vec<i64> {
    let (text, int) = (data.column(1).as_string_view(), data.column(2).as_primitive::<Int64Type>());
    let key = |i: usize| (text.is_valid(i).then(|| text.value(i)), int.is_valid(i).then(|| int.value(i)));
    let mut rows: Vec<usize> = (0..data.num_rows()).collect();
    rows.sort_by_key(|i| key(*i));
    rows.truncate(fetch.unwrap_or(usize::MAX));
    rows.into_iter().map(|i| i as i64).collect()
}

#[test]
fn budgets_and_passes_do_not_change_the_order() {
    let data = data(20_000, 0);
    for setup in [ROOMY, STARVED, Setup { workers: 1, ..STARVED }, Setup { fan_in: 5, ..STARVED }] {
        let ran = run(setup, &data).unwrap_or_else(|e| panic!("{setup:?}: {e}"));
        assert_eq!(ran.ids, expected(&data, None), "{setup:?}");
        assert_eq!(ran.passes > 1, setup.limit == STARVED.limit, "{setup:?}: {} passes", ran.passes);
        assert_eq!(ran.spilled > 0, setup.limit == STARVED.limit, "{setup:?}");
    }
}

#[test]
fn large_rows_are_sorted_in_several_passes() {
    let data = data(4000, 30_000);
    let setup = Setup { limit: 2 << 20, ..STARVED };
    let ran = run(setup, &data).unwrap();
    assert_eq!(ran.ids, expected(&data, None));
    assert!(ran.passes > 1, "{} passes", ran.passes);
}

#[test]
fn limits_of_all_sizes_take_the_first_rows() {
    let data = data(20_000, 0);
    for fetch in [0, 1, 10, 100, 1000, 5000, 19_999, 20_000, 30_000] {
        for setup in [ROOMY, STARVED] {
            let setup = Setup { fetch: Some(fetch), ..setup };
            let ran = run(setup, &data).unwrap_or_else(|e| panic!("{setup:?}: {e}"));
            assert_eq!(ran.ids, expected(&data, Some(fetch)), "{setup:?}");
            assert!(ran.spilled == 0 || fetch > 100, "{setup:?}: {} bytes were spilled", ran.spilled);
        }
    }
}

/// More rows are wanted than fit: only a part of the others goes to scratch.
#[test]
fn a_limit_beyond_memory_does_not_spill_everything() {
    let data = data(60_000, 0);
    let all = run(STARVED, &data).unwrap();
    let some = run(Setup { fetch: Some(5000), ..STARVED }, &data).unwrap();
    assert_eq!(some.ids, expected(&data, Some(5000)));
    assert!(some.spilled > 0 && some.spilled < all.spilled / 2, "{} of {}", some.spilled, all.spilled);
}

/// Whichever request for memory is refused, and however often, the answer is the same.
#[test]
fn refusals_do_not_change_the_order() {
    let data = data(3000, 0);
    for fetch in [None, Some(200)] {
        let setup = Setup { fetch, limit: 1 << 20, fan_in: 3, ..ROOMY };
        let wanted = expected(&data, fetch);
        let requests = run(setup, &data).unwrap().requests;
        assert!(requests > 20, "{requests} requests");
        for n in 1..=requests {
            for every in [u64::MAX, 5, 1] {
                let setup = Setup { refuse: Some((n, every)), ..setup };
                let ran = run(setup, &data).unwrap_or_else(|e| panic!("{setup:?}: {e}"));
                assert_eq!(ran.ids, wanted, "{setup:?}");
            }
        }
    }
}

/// Whichever operation of the disk breaks, the answer is right or an error, and nothing is left.
#[test]
fn broken_disks_are_errors_never_other_rows() {
    let data = data(6000, 0);
    let setup = Setup { fan_in: 4, ..STARVED };
    let (wanted, operations) = (expected(&data, None), run(setup, &data).unwrap().operations);
    let mut failed = 0;
    for n in (0..operations).step_by(1 + operations as usize / 150) {
        for fault in [Fault::Broken, Fault::Full, Fault::Short, Fault::Flip] {
            match run(Setup { fault, n, ..setup }, &data) {
                Ok(ran) => assert_eq!(ran.ids, wanted, "{fault:?} at {n}"),
                Err(e) => {
                    failed += 1;
                    assert!(matches!(e.kind(), ErrorKind::Io | ErrorKind::Resources), "{fault:?} at {n}: {e}");
                }
            }
        }
    }
    assert!(failed > 50, "{failed} failures");
}
