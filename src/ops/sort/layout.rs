//! How many runs are merged at one time, and into how many ranges the order is cut. Pure: the rule of the stage and the
//! operator that obeys it compute the same from the same sizes.
//!
//! The sizes of a sort are a part for each run (nothing `spilled`: the run is in memory), and one more, which is no run:
//! its bytes are those of the largest block.

use crate::config::Tuning;
use crate::graph::{Facts, Layout, PartSize, Round, Sizes};
use crate::store::STREAM_HEAD;

/// A range has at least so many bytes, and so many blocks of each run: else reading the blocks at its ends dominates.
const RANGE: u64 = 24 << 20;
const RANGE_BLOCKS: u64 = 8;
/// It has at most so many: whoever writes ranges as row groups of a file wants large ones, and who waits for its turn
/// waits in scratch.
const LARGE_RANGE: u64 = 256 << 20;
/// How many ranges a thread gets, where they are not too large: the last ones end at different times.
const RANGES: u64 = 4;
/// The part of the budget that the marks of all runs may be.
pub(super) const LISTS: usize = 64;
/// Fewer bytes are one range.
const SMALL: u64 = 4 << 20;

/// What merging may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Bytes that a worker can always hold, from its first row until the last is put out.
    pub(super) floor: usize,
    pub(super) page: usize,
    pub(super) fan_in: usize,
    pub(super) threads: usize,
    /// Bytes of rows that are put out at one time.
    pub(super) batch: usize,
    /// Whether only the first rows are wanted, which one task puts out.
    pub(super) limited: bool,
    /// Bytes that the sort keeps beside floors until all is read: writes of one worker, and what it knows of its runs.
    pub(super) beside: usize,
}

/// What a sort has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// Bytes of each run.
    pub(super) runs: Vec<u64>,
    pub(super) resident: usize,
    pub(super) largest: usize,
}

impl Measured {
    pub(super) fn of(sizes: &[Sizes]) -> Self {
        let parts = sizes.first().map_or(&[][..], |s| &s.parts);
        let Some((largest, runs)) = parts.split_last() else { return Measured::default() };
        Measured {
            runs: runs.iter().map(|p| p.bytes).collect(),
            resident: runs.iter().filter(|p| p.spilled == 0).count(),
            largest: largest.bytes as usize,
        }
    }

    pub(super) fn sizes(runs: impl Iterator<Item = PartSize>, largest: usize) -> Sizes {
        let last = PartSize { bytes: largest as u64, ..PartSize::default() };
        Sizes { parts: runs.chain([last]).collect() }
    }
}

impl Share {
    /// A worker's floor is its part of an eighth of a budget of `limit` bytes; with `few` rows to put out it is small.
    pub(super) fn new(tuning: &Tuning, limit: usize, page: usize, threads: usize, limited: bool, few: bool) -> Self {
        let part = limit / 8 / threads.max(2);
        let batch = tuning.batch_bytes.min((part / 8).max(64 << 10));
        // Two runs, two pages to work with, what is put out.
        let least = 6 * page + batch;
        let floor = if few { least } else { part.max(least) };
        Share {
            floor,
            page,
            fan_in: tuning.merge_fan_in,
            threads,
            batch,
            limited,
            beside: 2 * tuning.scratch_write_bytes + limit / LISTS,
        }
    }

    /// Bytes of an open run, whose largest block has `largest`.
    pub(super) fn block(&self, largest: usize) -> usize {
        (largest + STREAM_HEAD).next_multiple_of(4096).max(self.page)
    }

    fn most(&self, largest: usize) -> usize {
        let block = self.block(largest);
        // Where rows are so large that only few runs fit into the floor, it is worth to ask for more.
        let floor = if block > self.floor / 8 { 2 * self.floor } else { self.floor };
        (floor.saturating_sub(2 * self.page + self.batch + largest) / block).min(self.fan_in).max(2)
    }

    /// Which runs become one in the next pass; none, where all can be merged at one time. The smallest are taken, and no
    /// more than must be.
    pub(super) fn groups(&self, measured: &Measured) -> Vec<Vec<usize>> {
        let most = self.most(measured.largest);
        let mut excess = measured.runs.len().saturating_sub(most);
        let mut order: Vec<usize> = (0..measured.runs.len()).collect();
        order.sort_by_key(|i| measured.runs.get(*i));
        let mut groups = Vec::new();
        while excess > 0 && order.len() > 1 {
            let take = most.min(excess + 1).min(order.len());
            groups.push(order.drain(..take).collect());
            excess -= take - 1;
        }
        groups
    }

    /// Bytes that merging `runs` runs into one in scratch needs.
    pub(super) fn pass_floor(&self, runs: usize, largest: usize) -> usize {
        runs * self.block(largest) + 2 * self.page
    }

    /// Bytes that putting out `runs` runs needs.
    pub(super) fn merge_floor(&self, runs: usize, largest: usize) -> usize {
        runs * self.block(largest) + self.page + self.batch + largest
    }

    /// How many ranges the order is cut into.
    pub(super) fn ranges(&self, measured: &Measured) -> usize {
        let bytes: u64 = measured.runs.iter().sum();
        let page = self.page as u64;
        if self.limited || bytes <= SMALL.min(64 * page) {
            return 1;
        }
        let even = (bytes / (self.threads as u64 * RANGES).max(1)).clamp(RANGE, LARGE_RANGE);
        let range = even.max(RANGE_BLOCKS * page * measured.runs.len() as u64);
        usize::try_from(bytes / range).unwrap_or(usize::MAX).max(self.threads)
    }
}

/// The rule of the stage that makes runs few enough: first those in memory are sorted, then come passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassLayout(pub(super) Share);

impl Layout for PassLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        let measured = Measured::of(facts.sizes);
        if facts.round == 0 {
            return Round { tasks: measured.resident.max(1), floor: 0, why: String::new() };
        }
        let groups = self.0.groups(&measured);
        let most = groups.iter().map(Vec::len).max().unwrap_or(0);
        let why = match groups.len() {
            0 => String::new(),
            n => format!("{} runs are too many for one merge: {n} merges of at most {most}", measured.runs.len()),
        };
        Round { tasks: groups.len(), floor: self.0.pass_floor(most, measured.largest), why }
    }
}

/// The rule of the stage that puts the rows out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeLayout(pub(super) Share);

impl Layout for MergeLayout {
    fn next(&self, facts: &Facts<'_>) -> Round {
        if facts.round > 0 {
            return Round::default();
        }
        let measured = Measured::of(facts.sizes);
        let (tasks, runs) = (self.0.ranges(&measured), measured.runs.len());
        let why = format!("{tasks} ranges of {runs} runs, {} of them in memory", measured.resident);
        Round { tasks, floor: self.0.merge_floor(runs, measured.largest), why }
    }

    /// What the sort keeps from its first row on.
    fn floor(&self) -> usize {
        self.0.floor + self.0.beside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share =
        Share { floor: 45_056, page: 4096, fan_in: 4, threads: 2, batch: 1000, limited: false, beside: 0 };

    fn measured(runs: &[u64]) -> Measured {
        Measured { runs: runs.to_vec(), resident: 0, largest: 100 }
    }

    #[test]
    fn a_pass_merges_the_smallest_and_no_more_than_needed() {
        assert!(SHARE.groups(&measured(&[9, 9, 9, 9])).is_empty());
        assert_eq!(SHARE.groups(&measured(&[9, 1, 9, 2, 9])), [vec![1, 3]]);
        assert_eq!(SHARE.groups(&measured(&[1; 8])), [vec![0, 1, 2, 3], vec![4, 5]]);
        assert_eq!(SHARE.groups(&measured(&[1; 9])).iter().map(Vec::len).sum::<usize>(), 7);
    }

    #[test]
    fn large_blocks_lower_the_fan_in() {
        let large = Measured { largest: 20_000, ..measured(&[1; 3]) };
        assert_eq!(SHARE.groups(&large), [vec![0, 1]]);
        assert!(SHARE.pass_floor(2, 20_000) <= 2 * SHARE.floor && SHARE.merge_floor(2, 20_000) <= 2 * SHARE.floor);
    }

    #[test]
    fn a_merge_that_needs_no_pass_fits_into_the_floor() {
        let tuning = Tuning::default();
        for (limit, threads) in [(64 << 20, 2), (64 << 20, 1), (256 << 20, 2), (1 << 30, 2), (1 << 30, 16)] {
            let share = Share::new(&tuning, limit, tuning.page_size(limit), threads, false, false);
            let most = share.most(60_000);
            assert!(most >= 16 && share.pass_floor(most, 60_000) <= share.floor, "{share:?}: {most} runs");
            assert!(share.merge_floor(most, 60_000) <= share.floor, "{share:?}: {most} runs");
            assert!(2 * share.merge_floor(share.most(1 << 20), 1 << 20) <= limit / 2, "{share:?}: large rows");
        }
    }

    #[test]
    fn passes_end() {
        let share = Share { fan_in: 2, ..SHARE };
        let (mut runs, mut passes) = (1000, 0);
        while let groups @ [_, ..] = &share.groups(&measured(&vec![1; runs]))[..] {
            runs -= groups.iter().map(|g| g.len() - 1).sum::<usize>();
            passes += 1;
        }
        assert!(runs == 2 && passes < 11, "{runs} {passes}");
    }

    #[test]
    fn ranges_are_for_all_threads_but_not_tiny() {
        assert_eq!(SHARE.ranges(&measured(&[1000])), 1);
        assert_eq!(SHARE.ranges(&measured(&[1 << 20])), 2);
        assert_eq!(SHARE.ranges(&measured(&[10 * RANGE])), 8);
        assert_eq!(SHARE.ranges(&measured(&[100 * LARGE_RANGE])), 100);
        assert_eq!(Share { limited: true, ..SHARE }.ranges(&measured(&[100 * RANGE])), 1);
    }
}
