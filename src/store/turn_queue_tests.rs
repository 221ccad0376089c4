//! The ordered result, with bounds so small that waiting and spilling happen on a few rows.

use super::*;
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::memory::{Budget, Reservation};
use crate::wake::Wakers;
use arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use std::sync::{Arc, Mutex};

/// `rows` rows of `split`, from the row `row` on: each holds split * 1000 + row, as a number and as long text.
fn batch(split: u64, row: u64, rows: u64) -> Batch {
    let numbers: Vec<i64> = (row..row + rows).map(|row| (split * 1000 + row) as i64).collect();
    let text: StringViewArray = numbers.iter().map(|n| Some(format!("a text that is not inlined {n}"))).collect();
    let columns = [("n", Arc::new(Int64Array::from(numbers)) as ArrayRef), ("t", Arc::new(text))];
    Batch::new(RecordBatch::try_from_iter(columns).unwrap(), Position { split, row })
}

fn numbers(batch: &Batch) -> Vec<i64> {
    batch.data.column(0).as_primitive::<Int64Type>().values().to_vec()
}

struct Fixture {
    scratch: Scratch,
    reservation: Arc<Reservation>,
    queue: TurnQueue,
    reader: TurnReader,
}

fn options(queue_bytes: usize, ahead_bytes: usize) -> TurnOptions {
    TurnOptions { schema: batch(0, 0, 1).data.schema(), queue_bytes, ahead_bytes, offset: 0, limit: None }
}

fn fixture(options: TurnOptions) -> Fixture {
    fixture_on(options, Arc::new(RealDisk))
}

fn fixture_on(options: TurnOptions, disk: Arc<dyn Disk>) -> Fixture {
    let scratch_options = ScratchOptions { limit: Some(1 << 30), write_bytes: 1000, ..Default::default() };
    let scratch = Scratch::with_disk(scratch_options, disk).unwrap();
    let reservation = Budget::new(1 << 30).reserve("result", 0, false).unwrap();
    let (queue, reader) = TurnQueue::new(options, &scratch, reservation.clone());
    Fixture { scratch, reservation, queue, reader }
}

impl Fixture {
    fn push(&self, split: u64, row: u64, rows: u64) -> Push {
        self.queue.push(split, batch(split, row, rows), &Wakers::deaf()).unwrap()
    }

    fn pop_all(&mut self) -> Result<Vec<i64>> {
        let mut all = Vec::new();
        while let Some(batch) = self.reader.pop()? {
            assert_eq!(batch.position.split * 1000 + batch.position.row, numbers(&batch)[0] as u64);
            all.extend(numbers(&batch));
        }
        Ok(all)
    }

    fn assert_nothing_is_left(self) {
        let Fixture { scratch, reservation, queue, reader } = self;
        drop((queue, reader));
        assert_eq!(reservation.held(), 0);
        while scratch.used() > 0 {
            std::thread::yield_now();
        }
    }
}

/// What three splits of two batches hold.
fn expected() -> Vec<i64> {
    (0..3).flat_map(|split| (0..10).map(move |row| split * 1000 + row)).collect()
}

/// Pushes them from the last split to the first.
fn push_backwards(f: &Fixture) -> Result<()> {
    for split in (0..3).rev() {
        for row in [0, 5] {
            let _ = f.queue.push(split, batch(split, row, 5), &Wakers::deaf())?;
        }
        f.queue.end(split);
    }
    f.queue.close(3);
    Ok(())
}

#[test]
fn splits_come_in_order_whatever_waits_where() {
    // Four batches are ahead of their turn.
    let one = kept_bytes(&compact_batch(&batch(2, 0, 5).data).unwrap());
    for ahead_bytes in [0, one, 3 * one, 1 << 20] {
        let mut f = fixture(options(1 << 20, ahead_bytes));
        push_backwards(&f).unwrap();
        assert_eq!(f.scratch.stats().written > 0, ahead_bytes < 1 << 20, "{ahead_bytes}");
        assert_eq!(f.pop_all().unwrap(), expected());
        assert!(f.reader.pop().unwrap().is_none(), "the end stays");
        f.assert_nothing_is_left();
    }
}

#[test]
fn what_waits_in_memory_is_charged_and_bounded() {
    let mut f = fixture(options(1 << 20, 3000));
    for split in 1..50 {
        assert_eq!(f.push(split, 0, 10), Push::Ready);
        assert!(f.reservation.held() <= 3000);
    }
    assert!(f.reservation.held() > 1000);
    assert!(matches!(f.reader.try_pop().unwrap(), TryPop::Empty));
    assert_eq!(f.push(0, 0, 10), Push::Ready);
    assert!(matches!(f.reader.try_pop().unwrap(), TryPop::Batch(b) if numbers(&b)[0] == 0));
    f.assert_nothing_is_left();
}

#[test]
fn a_slow_consumer_makes_producers_wait_and_wakes_them() {
    let woken = Arc::new(Mutex::new(Vec::new()));
    let to = woken.clone();
    let wakers = Wakers::new(Arc::new(move |token| to.lock().unwrap().push(token)));
    let mut f = fixture(options(1000, 0));
    let mut row = 0;
    let mut push = |f: &Fixture, split| {
        row += 5;
        f.queue.push(split, batch(split, row - 5, 5), &wakers).unwrap()
    };
    let first = loop {
        match push(&f, 0) {
            Push::Wait(token) => break token,
            other => assert_eq!(other, Push::Ready),
        }
    };
    let held = f.reservation.held();
    assert!((1000..3000).contains(&held), "{held}");
    let Push::Wait(second) = push(&f, 1) else { panic!("ahead of its turn it waits too: nobody takes anything") };
    assert!(woken.lock().unwrap().is_empty());
    while f.reservation.held() >= 1000 {
        assert!(woken.lock().unwrap().is_empty());
        assert!(matches!(f.reader.try_pop().unwrap(), TryPop::Batch(_)));
    }
    assert_eq!(*woken.lock().unwrap(), [first, second]);
    assert_eq!(push(&f, 1), Push::Ready);
    f.assert_nothing_is_left();
}

#[test]
fn limit_and_offset_cut_anywhere() {
    for offset in 0..32 {
        for limit in 0..32 {
            let mut f = fixture(TurnOptions { offset, limit: Some(limit), ..options(1 << 20, 700) });
            push_backwards(&f).unwrap();
            let expected: Vec<i64> = expected().into_iter().skip(offset as usize).take(limit as usize).collect();
            assert_eq!(f.pop_all().unwrap(), expected, "offset {offset} limit {limit}");
            f.assert_nothing_is_left();
        }
    }
}

#[test]
fn producers_hear_that_the_limit_is_reached() {
    let mut f = fixture(TurnOptions { limit: Some(12), ..options(1 << 20, 1 << 20) });
    assert_eq!(f.push(2, 0, 10), Push::Ready, "splits 0 and 1 may have too few");
    assert_eq!(f.push(1, 0, 10), Push::Ready);
    assert_eq!(f.push(0, 0, 5), Push::Ready);
    let before = f.reservation.held();
    assert!(!f.queue.is_done(1));
    f.queue.end(0);
    assert!(f.queue.is_done(1) == (5 + 10 >= 12) && f.queue.is_done(2));
    assert!(f.reservation.held() < before, "split 2 is dropped");
    assert_eq!(f.push(1, 10, 10), Push::Done);
    assert_eq!(f.pop_all().unwrap(), [0, 1, 2, 3, 4, 1000, 1001, 1002, 1003, 1004, 1005, 1006]);
    f.assert_nothing_is_left();
}

#[test]
fn a_failure_ends_the_queue_at_once() {
    let mut f = fixture(options(1 << 20, 0));
    let _ = (f.push(0, 0, 5), f.push(1, 0, 5));
    f.queue.fail(Error::data("first"));
    f.queue.fail(Error::data("second"));
    assert_eq!(f.push(0, 5, 5), Push::Done);
    for _ in 0..2 {
        assert_eq!(f.reader.pop().unwrap_err().message(), "first");
    }
    f.assert_nothing_is_left();
}

#[test]
fn dropping_either_side_is_heard_by_the_other() {
    let f = fixture(options(1 << 20, 0));
    let _ = (f.push(0, 0, 5), f.push(1, 0, 5));
    let Fixture { queue, reader, reservation, .. } = f;
    assert!(!queue.is_abandoned());
    drop(reader);
    assert!(queue.is_abandoned() && queue.is_done(0));
    assert_eq!(reservation.held(), 0);
    assert_eq!(queue.push(0, batch(0, 5, 5), &Wakers::deaf()).unwrap(), Push::Done);

    let Fixture { queue, mut reader, .. } = fixture(options(1 << 20, 0));
    drop(queue.clone());
    assert!(matches!(reader.try_pop().unwrap(), TryPop::Empty), "one producer is left");
    drop(queue);
    assert!(reader.pop().is_err());
}

#[test]
fn a_batch_does_not_keep_its_input_alive() {
    let f = fixture(options(1 << 20, 1 << 20));
    let long = batch(0, 0, 900);
    let _ = f.queue.push(0, long.with(long.data.slice(100, 3)), &Wakers::deaf()).unwrap();
    assert!(f.reservation.held() < 2000, "{}", f.reservation.held());
    f.assert_nothing_is_left();
}

#[test]
fn every_fault_of_the_disk_is_an_error_or_does_not_matter() {
    let mut failed = 0;
    for n in 0..20 {
        let disk = Arc::new(FaultyDisk::new(Fault::Broken, n, n));
        let mut f = fixture_on(options(1 << 20, 0), disk);
        match push_backwards(&f).and_then(|_| f.pop_all()) {
            Ok(all) => assert_eq!(all, expected()),
            Err(e) => {
                failed += 1;
                assert!(e.message().contains("injected"), "{e}");
            }
        }
        f.assert_nothing_is_left();
    }
    assert!(failed > 0);
}

/// Producers take splits as they come, push them in pieces and wait when told to; the consumer sees the input's order.
#[test]
fn concurrent_producers_keep_the_order() {
    const SPLITS: u64 = 120;
    for ahead_bytes in [0, 5000] {
        let mut f = fixture(options(2000, ahead_bytes));
        let next = Arc::new(Mutex::new(0u64));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (queue, next) = (f.queue.clone(), next.clone());
                std::thread::spawn(move || produce(&queue, &next, SPLITS))
            })
            .collect();
        f.queue.close(SPLITS);
        let expected: Vec<i64> = (0..SPLITS).flat_map(|s| (0..s % 17).map(move |r| (s * 1000 + r) as i64)).collect();
        assert_eq!(f.pop_all().unwrap(), expected);
        threads.into_iter().for_each(|t| t.join().unwrap());
        f.assert_nothing_is_left();
    }
}

fn produce(queue: &TurnQueue, next: &Mutex<u64>, splits: u64) {
    let (give, woken) = std::sync::mpsc::channel();
    let wakers = Wakers::new(Arc::new(move |token| give.send(token).unwrap_or(())));
    loop {
        let split = {
            let mut next = next.lock().unwrap();
            *next += 1;
            *next - 1
        };
        if split >= splits {
            return;
        }
        let rows = split % 17;
        for row in (0..rows).step_by(3) {
            match queue.push(split, batch(split, row, 3.min(rows - row)), &wakers).unwrap() {
                Push::Wait(token) => assert_eq!(woken.recv(), Ok(token)),
                other => assert_eq!(other, Push::Ready),
            }
        }
        queue.end(split);
    }
}
