//! Whether LZ4 pays: a block is compressed when that is faster than writing and reading the bytes it saves, or when the
//! space for scratch runs short.
//!
//! Each writer measures its own blocks. After a block that did not pay the next few go raw, then one is tried again; the
//! pauses double up to [`LONGEST_PAUSE`] blocks, so data that do not compress cost next to nothing, and a change (a disk
//! that slows down because the page cache is full, other data) is seen soon.
//!
//! Only the measuring needs a clock; it is the writer's. What is decided here is a pure function of numbers.

/// Which blocks are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Those for which it pays.
    #[default]
    Adaptive,
    /// All that get smaller.
    Always,
    /// None.
    Never,
}

/// Blocks that go raw at most before one is tried again.
const LONGEST_PAUSE: u32 = 64;

/// What is known when one block was compressed. Costs are nanoseconds a byte of the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Compressed size by raw size.
    pub(super) ratio: f64,
    /// What compressing took.
    pub(super) compress: f64,
    /// What writing to the disk takes.
    pub(super) write: f64,
    /// Whether space runs short.
    pub(super) scarce: bool,
}

/// Whether compressing blocks like this one is worth it.
pub(super) fn pays(facts: Facts) -> bool {
    if facts.ratio > 0.9 {
        return false;
    }
    // Decompression takes about a third of compression. A block is written once and read once, at a like cost.
    let spent = facts.compress * 4.0 / 3.0;
    let saved = (1.0 - facts.ratio) * facts.write * 2.0;
    facts.scarce || saved > spent
}

/// The choice of one writer, from block to block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    mode: Compression,
    /// Blocks that still go raw.
    pause: u32,
    /// How long the next pause is.
    next_pause: u32,
}

impl Policy {
    pub(super) fn new(mode: Compression) -> Self {
        Policy { mode, pause: 0, next_pause: 1 }
    }

    /// Whether the next block is to be compressed. Counts the pause down.
    pub(super) fn compress_next(&mut self) -> bool {
        match self.mode {
            Compression::Always => true,
            Compression::Never => false,
            Compression::Adaptive => {
                let go = self.pause == 0;
                self.pause = self.pause.saturating_sub(1);
                go
            }
        }
    }

    /// Learns from a block that was compressed.
    pub(super) fn learn(&mut self, facts: Facts) {
        if pays(facts) {
            (self.pause, self.next_pause) = (0, 1);
        } else {
            self.pause = self.next_pause;
            self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Facts = Facts { ratio: 0.3, compress: 1.0, write: 2.0, scarce: false };

    #[test]
    fn pays_where_it_saves_more_than_it_takes() {
        assert!(pays(GOOD));
        assert!(!pays(Facts { ratio: 0.95, ..GOOD }), "nothing is saved");
        assert!(!pays(Facts { write: 0.3, ..GOOD }), "the disk is faster than the compression");
        assert!(pays(Facts { write: 0.3, scarce: true, ..GOOD }), "but space is short");
        assert!(!pays(Facts { ratio: 0.95, scarce: true, ..GOOD }));
    }

    fn tried(policy: &mut Policy, facts: Facts, blocks: u32) -> u32 {
        let mut tried = 0;
        for _ in 0..blocks {
            if policy.compress_next() {
                tried += 1;
                policy.learn(facts);
            }
        }
        tried
    }

    #[test]
    fn bad_data_are_tried_rarely_and_good_data_always() {
        let mut policy = Policy::new(Compression::Adaptive);
        assert_eq!(tried(&mut policy, GOOD, 100), 100);
        let bad = Facts { ratio: 1.0, ..GOOD };
        // 1 try, 1 pause, 1 try, 2 pauses, .. 64 pauses: 7 tries in the first 134 blocks, then one in 65.
        assert_eq!(tried(&mut policy, bad, 134), 7);
        assert_eq!(tried(&mut policy, bad, 650), 10);
        let before_good = (0..=LONGEST_PAUSE).take_while(|_| !policy.compress_next()).count();
        assert!(before_good <= LONGEST_PAUSE as usize);
        policy.learn(GOOD);
        assert_eq!(tried(&mut policy, GOOD, 100), 100);
    }

    #[test]
    fn modes_do_not_adapt() {
        let bad = Facts { ratio: 1.0, ..GOOD };
        assert_eq!(tried(&mut Policy::new(Compression::Always), bad, 9), 9);
        assert_eq!(tried(&mut Policy::new(Compression::Never), GOOD, 9), 0);
    }
}
