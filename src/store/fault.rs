//! A disk that breaks on purpose: a decorator for tests, in every layer that spills.
//!
//! Operations are counted over all files, in the order in which they are made; the `n`-th one (from 0) meets the fault.
//! A full disk stays full.

use super::disk::{Disk, RealDisk};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; operations are only counted.
    None,
    /// The disk is full from the n-th write on.
    Full,
    /// The n-th operation of any kind fails with an input/output error.
    Broken,
    /// Every write and read from the n-th operation on moves a part of the bytes only, as many as the seed says.
    Short,
    /// The n-th read succeeds, but one bit is wrong: which one, the seed says.
    Flip,
    /// Nothing can be punched out of a file.
    NoPunch,
}

/// The real disk with one fault.
#[derive(Debug)]
pub struct FaultyDisk {
    fault: Fault,
    n: u64,
    seed: u64,
    operations: AtomicU64,
    writes: AtomicU64,
    reads: AtomicU64,
}

impl FaultyDisk {
    /// The `n`-th operation (write, read) meets `fault`.
    pub fn new(fault: Fault, n: u64, seed: u64) -> Self {
        let (operations, writes, reads) = Default::default();
        FaultyDisk { fault, n, seed, operations, writes, reads }
    }

    /// Operations made so far.
    pub fn operations(&self) -> u64 {
        self.operations.load(Relaxed)
    }

    /// Counts an operation; fails it if it is the broken one.
    fn count(&self) -> io::Result<u64> {
        let turn = self.operations.fetch_add(1, Relaxed);
        if self.fault == Fault::Broken && turn == self.n {
            return Err(io::Error::other("injected input/output error"));
        }
        Ok(turn)
    }

    fn random(&self, turn: u64, below: usize) -> usize {
        let mut x = self.seed ^ turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        x ^= x >> 33;
        x = x.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        x ^= x >> 33;
        (x % below.max(1) as u64) as usize
    }

    fn some(&self, turn: u64, len: usize) -> usize {
        if self.fault == Fault::Short && turn >= self.n { 1 + self.random(turn, len) } else { len }.min(len)
    }
}

impl Disk for FaultyDisk {
    fn create(&self, dir: &Path) -> io::Result<File> {
        self.count()?;
        RealDisk.create(dir)
    }

    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        let turn = self.count()?;
        if self.fault == Fault::Full && self.writes.fetch_add(1, Relaxed) >= self.n {
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.write_at(file, bytes.get(..self.some(turn, bytes.len())).unwrap_or(bytes), at)
    }

    fn read_at(&self, file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
        let turn = self.count()?;
        let some = self.some(turn, into.len());
        let read = RealDisk.read_at(file, into.get_mut(..some).unwrap_or_default(), at)?;
        if self.fault == Fault::Flip && self.reads.fetch_add(1, Relaxed) == self.n {
            let bit = self.random(turn, read * 8);
            if let Some(byte) = into.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(read)
    }

    fn punch(&self, file: &File, at: u64, len: u64) -> io::Result<()> {
        self.count()?;
        if self.fault == Fault::NoPunch {
            return Err(io::ErrorKind::Unsupported.into());
        }
        RealDisk.punch(file, at, len)
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        RealDisk.free(dir)
    }
}
