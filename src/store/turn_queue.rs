//! The ordered result: many producers, each reading its split of the input, and one consumer that sees the batches in
//! the order of the splits.
//!
//! # Life of a batch
//!
//! 1. A producer pushes it, with its split's number. It is cut loose from the input ([`compact_batch`]).
//! 2. If it is its split's turn, it waits in memory for the consumer. When `queue_bytes` wait there, push answers
//!    [`Push::Wait`]: the batch was taken, and the producer goes on once the consumer has made room.
//! 3. If other splits come before, it waits in memory while `ahead_bytes` suffice, and beyond that in scratch. It is
//!    never lost room for: a producer ahead of its turn waits only while the consumer itself is the slow one.
//! 4. The consumer pops it when everything before it was popped, reading it back if need be.
//!
//! ```text
//! split 0  ended, popped
//! split 1  [batch][batch]                <- its turn: up to queue_bytes, then its producer waits
//! split 2  [batch][scratch][scratch] end <- ahead: up to ahead_bytes in memory, then scratch
//! split 3  [scratch]
//! ```
//!
//! # Bounds
//!
//! In memory wait at most `queue_bytes` + `ahead_bytes` + one batch a producer, all charged to the reservation. (What a
//! split kept in memory while it was ahead was within `ahead_bytes`, and stays when its turn comes.) Encoding takes the
//! size of a batch once more, for each producer that does it.
//!
//! # Ends
//!
//! With a limit, producers hear [`Push::Done`] as soon as the splits before and at the first unfinished one have enough
//! rows; what lies behind is dropped. A failure ends the queue at once, whatever waits. When the consumer is dropped,
//! producers hear `Done`; when all producers are dropped too early, the consumer gets an error rather than wait forever.

use super::codec::{compact_batch, encode_batch, kept_bytes, read_batch};
use super::scratch::Scratch;
use super::spill::{BlockRef, SpillWriter};
use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::ids::Token;
use crate::memory::Reservation;
use crate::wake::{Waker, Wakers};
use arrow::datatypes::SchemaRef;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// The bounds of a queue.
#[derive(Clone, Debug)]
pub struct TurnOptions {
    /// The schema of all batches.
    pub schema: SchemaRef,
    /// Bytes of the split whose turn it is that wait before its producer pauses.
    pub queue_bytes: usize,
    /// Bytes of other splits that wait in memory.
    pub ahead_bytes: usize,
    /// Rows left out at the beginning.
    pub offset: u64,
    /// Rows that the consumer gets at most, after the offset.
    pub limit: Option<u64>,
}

/// What becomes of the producer that pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Push {
    /// It may push the next batch.
    Ready,
    /// The batch was taken; it may push the next one when the token is ready.
    Wait(Token),
    /// Nobody wants more rows of this split, nor this one.
    Done,
}

/// What the consumer finds.
#[derive(Clone, Debug)]
pub enum TryPop {
    /// The next rows.
    Batch(Batch),
    /// Nothing yet.
    Empty,
    /// There are no more.
    End,
}

/// The producers' side. Cheap to clone; each split is pushed by one producer at a time.
#[derive(Clone)]
pub struct TurnQueue(Arc<Producers>);

/// Drops with the last producer.
struct Producers(Arc<Shared>);

/// The consumer's side.
pub struct TurnReader(Arc<Shared>);

struct Shared {
    options: TurnOptions,
    /// `offset` + `limit`: rows that producers must deliver.
    wanted: u64,
    reservation: Arc<Reservation>,
    /// Apart from the state, so that nobody waits for a disk to push or pop. Never locked inside the state's lock.
    spill: Mutex<SpillWriter>,
    state: Mutex<State>,
    change: Condvar,
}

#[derive(Default)]
struct State {
    /// Splits that have something, or have ended before their turn.
    splits: BTreeMap<u64, Split>,
    /// The split whose turn it is for the consumer.
    turn: u64,
    /// The first split that has not ended.
    frontier: u64,
    /// Rows of all splits up to the frontier, itself included.
    frontier_rows: u64,
    /// Rows popped, those of the offset included.
    popped: u64,
    /// Bytes of other splits than `turn` in memory.
    ahead: usize,
    /// How many splits there are, once known.
    total: Option<u64>,
    waiting: Vec<Waker>,
    error: Option<Error>,
    abandoned: bool,
    orphaned: bool,
}

#[derive(Default)]
struct Split {
    items: VecDeque<Item>,
    /// Bytes of items in memory.
    bytes: usize,
    /// All rows that were pushed.
    rows: u64,
    ended: bool,
}

enum Item {
    Memory(Kept),
    Scratch(BlockRef, Position),
}

/// A batch charged to the queue's reservation while it waits.
struct Kept {
    batch: Batch,
    bytes: usize,
    reservation: Arc<Reservation>,
}

impl Kept {
    fn new(batch: Batch, reservation: &Arc<Reservation>) -> Self {
        let bytes = kept_bytes(&batch.data);
        reservation.grow_anyway(bytes);
        Kept { batch, bytes, reservation: reservation.clone() }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.reservation.shrink(self.bytes);
    }
}

impl TurnQueue {
    /// An empty queue: the producers' side and the consumer's.
    pub fn new(options: TurnOptions, scratch: &Scratch, reservation: Arc<Reservation>) -> (TurnQueue, TurnReader) {
        let wanted = options.limit.map_or(u64::MAX, |limit| limit.saturating_add(options.offset));
        let spill = Mutex::new(scratch.writer());
        let (state, change) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { options, wanted, reservation, spill, state, change });
        (TurnQueue(Arc::new(Producers(shared.clone()))), TurnReader(shared))
    }

    /// Takes the next rows of `split`. `wakers` makes the token where the producer must wait.
    ///
    /// # Errors
    /// Those of scratch; the rows are lost then, and the query must fail.
    pub fn push(&self, split: u64, batch: Batch, wakers: &Wakers) -> Result<Push> {
        let shared = self.shared();
        if shared.lock().is_done_for(split, shared.wanted) {
            return Ok(Push::Done);
        }
        if batch.rows() == 0 {
            return Ok(Push::Ready);
        }
        let batch = batch.with(compact_batch(&batch.data)?);
        let kept = Kept::new(batch, &shared.reservation);
        let state = shared.lock();
        if state.is_ahead_full(split, kept.bytes, shared.options.ahead_bytes) {
            drop(state);
            return shared.push_spilled(split, kept, wakers);
        }
        let rows = kept.batch.rows();
        Ok(shared.add(state, split, Item::Memory(kept), rows, wakers))
    }

    /// No more rows of `split` will come.
    pub fn end(&self, split: u64) {
        let mut state = self.shared().lock();
        if state.is_done_for(split, self.shared().wanted) {
            return;
        }
        state.splits.entry(split).or_default().ended = true;
        state.move_frontier();
        let dropped = state.drop_beyond(self.shared().wanted);
        self.shared().tell(state, dropped);
    }

    /// There are `total` splits: 0 to `total - 1`. Each of them must be ended, before or after this.
    pub fn close(&self, total: u64) {
        let mut state = self.shared().lock();
        state.total = Some(total);
        self.shared().tell(state, vec![]);
    }

    /// The consumer gets this error next. The first failure counts.
    pub fn fail(&self, error: Error) {
        let mut state = self.shared().lock();
        state.error.get_or_insert(error);
        let dropped = state.drop_all();
        self.shared().tell(state, dropped);
    }

    /// Whether nobody wants more rows of `split`: the limit is reached, the query failed, or the consumer is gone.
    pub fn is_done(&self, split: u64) -> bool {
        self.shared().lock().is_done_for(split, self.shared().wanted)
    }

    /// Whether the consumer is gone.
    pub fn is_abandoned(&self) -> bool {
        self.shared().lock().abandoned
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }
}

impl Drop for Producers {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.orphaned = true;
        self.0.tell(state, vec![]);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Lets go of the state, then wakes everybody who may go on, and drops what nobody wants.
    fn tell(&self, mut state: MutexGuard<'_, State>, dropped: Vec<Split>) {
        let consumer_is_slow = state.is_turn_full(self.options.queue_bytes) && !state.is_over(self.wanted);
        let wake = if consumer_is_slow { vec![] } else { mem::take(&mut state.waiting) };
        drop(state);
        self.change.notify_all();
        wake.iter().for_each(Waker::wake);
        drop(dropped);
    }

    fn push_spilled(&self, split: u64, kept: Kept, wakers: &Wakers) -> Result<Push> {
        let (rows, position) = (kept.batch.rows(), kept.batch.position);
        let mut bytes = Vec::new();
        encode_batch(&kept.batch.data, &mut bytes)?;
        drop(kept);
        let block = self.spill.lock().unwrap_or_else(|e| e.into_inner()).write(&bytes)?;
        Ok(self.add(self.lock(), split, Item::Scratch(block, position), rows, wakers))
    }

    fn add(&self, mut state: MutexGuard<'_, State>, split: u64, item: Item, rows: usize, wakers: &Wakers) -> Push {
        if state.is_done_for(split, self.wanted) {
            return Push::Done;
        }
        state.add(split, item, rows);
        let dropped = state.drop_beyond(self.wanted);
        let push = if state.is_done_for(split, self.wanted) {
            Push::Done
        } else if state.must_wait(split, &self.options) {
            let waker = wakers.ticket();
            state.waiting.push(waker.clone());
            Push::Wait(waker.token())
        } else {
            Push::Ready
        };
        self.tell(state, dropped);
        push
    }
}

impl State {
    /// Whether no further rows of `split` can have an effect.
    fn is_done_for(&self, split: u64, wanted: u64) -> bool {
        self.abandoned || self.error.is_some() || split < self.frontier || self.frontier_rows >= wanted
    }

    /// Whether producers have nothing to wait for any more.
    fn is_over(&self, wanted: u64) -> bool {
        self.is_done_for(u64::MAX, wanted)
    }

    /// Whether `more` bytes of `split` are too many to wait in memory.
    fn is_ahead_full(&self, split: u64, more: usize, most: usize) -> bool {
        split != self.turn && self.ahead.saturating_add(more) > most
    }

    /// Whether the split whose turn it is has as much waiting as it may.
    fn is_turn_full(&self, most: usize) -> bool {
        self.splits.get(&self.turn).is_some_and(|split| split.bytes >= most.max(1))
    }

    /// Whether the producer of `split` must wait for the consumer. Ahead of the turn, memory is there to be used first.
    fn must_wait(&self, split: u64, options: &TurnOptions) -> bool {
        self.is_turn_full(options.queue_bytes) && (split == self.turn || self.ahead >= options.ahead_bytes / 2)
    }

    fn add(&mut self, split: u64, item: Item, rows: usize) {
        let bytes = item.bytes();
        let entry = self.splits.entry(split).or_default();
        entry.items.push_back(item);
        entry.bytes += bytes;
        entry.rows += rows as u64;
        if split != self.turn {
            self.ahead += bytes;
        }
        if split == self.frontier {
            self.frontier_rows += rows as u64;
        }
    }

    /// Moves the frontier over splits that have ended.
    fn move_frontier(&mut self) {
        while self.splits.get(&self.frontier).is_some_and(|split| split.ended) {
            self.frontier += 1;
            self.frontier_rows += self.splits.get(&self.frontier).map_or(0, |split| split.rows);
        }
    }

    /// Takes out what lies behind the last row that is wanted.
    fn drop_beyond(&mut self, wanted: u64) -> Vec<Split> {
        if self.frontier_rows < wanted {
            return vec![];
        }
        let beyond = self.splits.split_off(&(self.frontier.saturating_add(1)).max(self.turn.saturating_add(1)));
        self.ahead = self.splits.range(self.turn.saturating_add(1)..).map(|(_, split)| split.bytes).sum();
        beyond.into_values().collect()
    }

    fn drop_all(&mut self) -> Vec<Split> {
        self.ahead = 0;
        mem::take(&mut self.splits).into_values().collect()
    }

    /// The next item in turn; `None` where it has not come yet, or the splits have ended.
    fn take(&mut self) -> Option<Item> {
        loop {
            let split = self.splits.get_mut(&self.turn)?;
            if let Some(item) = split.items.pop_front() {
                split.bytes -= item.bytes();
                return Some(item);
            }
            if !split.ended {
                return None;
            }
            self.splits.remove(&self.turn);
            self.turn += 1;
            self.ahead -= self.splits.get(&self.turn).map_or(0, |split| split.bytes);
        }
    }

    fn has_all(&self) -> bool {
        self.total.is_some_and(|total| self.turn >= total)
    }
}

impl Item {
    /// Bytes in memory.
    fn bytes(&self) -> usize {
        match self {
            Item::Memory(kept) => kept.bytes,
            Item::Scratch(..) => 0,
        }
    }

    fn batch(self, schema: &SchemaRef) -> Result<Batch> {
        match self {
            Item::Memory(kept) => Ok(kept.batch.clone()),
            Item::Scratch(block, position) => Ok(Batch::new(read_batch(&block, schema)?, position)),
        }
    }
}

impl TurnReader {
    /// The next rows, `None` at the end. Waits for producers: not for a thread that producers need.
    ///
    /// # Errors
    /// What a producer failed with, or scratch; then every further call fails in the same way.
    pub fn pop(&mut self) -> Result<Option<Batch>> {
        self.next(true).map(|popped| match popped {
            TryPop::Batch(batch) => Some(batch),
            TryPop::Empty | TryPop::End => None,
        })
    }

    /// As [`pop`](Self::pop), but without waiting.
    ///
    /// # Errors
    /// As [`pop`](Self::pop).
    pub fn try_pop(&mut self) -> Result<TryPop> {
        self.next(false)
    }

    /// The schema of all batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.0.options.schema
    }

    fn next(&mut self, wait: bool) -> Result<TryPop> {
        loop {
            let item = match self.take(wait)? {
                Ok(item) => item,
                Err(nothing) => return Ok(nothing),
            };
            let batch = item.batch(self.schema()).inspect_err(|e| self.fail(e))?;
            if let Some(batch) = self.cut(batch) {
                return Ok(TryPop::Batch(batch));
            }
        }
    }

    /// The next item, or why there is none.
    fn take(&self, wait: bool) -> Result<Result<Item, TryPop>> {
        let shared = &*self.0;
        let mut state = shared.lock();
        loop {
            if state.popped >= shared.wanted {
                return Ok(Err(TryPop::End));
            }
            if let Some(error) = &state.error {
                return Err(error.clone());
            }
            let item = state.take();
            if let Some(item) = item {
                shared.tell(state, vec![]);
                return Ok(Ok(item));
            }
            if state.has_all() {
                return Ok(Err(TryPop::End));
            }
            if state.orphaned {
                return Err(Error::internal("the producers of a result went away before its end"));
            }
            if !wait {
                return Ok(Err(TryPop::Empty));
            }
            state = shared.change.wait(state).unwrap_or_else(|e| e.into_inner());
        }
    }

    /// The rows of `batch` between the offset and the limit; counts them as popped.
    fn cut(&self, batch: Batch) -> Option<Batch> {
        let (offset, wanted) = (self.0.options.offset, self.0.wanted);
        let rows = batch.rows() as u64;
        let mut state = self.0.lock();
        let begin = state.popped;
        state.popped = begin.saturating_add(rows);
        drop(state);
        let from = offset.saturating_sub(begin).min(rows);
        let to = wanted.saturating_sub(begin).min(rows);
        if from >= to {
            return None;
        }
        // Both are at most `rows`, which is a usize.
        let mut cut = batch.with(batch.data.slice(from as usize, (to - from) as usize));
        cut.position.row += from;
        Some(cut)
    }

    fn fail(&self, error: &Error) {
        self.0.lock().error.get_or_insert_with(|| error.clone());
    }
}

impl Drop for TurnReader {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        let dropped = state.drop_all();
        self.0.tell(state, dropped);
    }
}
