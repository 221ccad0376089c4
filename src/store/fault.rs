//! A disk that breaks on purpose: a decorator for tests, in every layer that spills.
//!
//! Operations are counted over all files, in the order in which they are made; the `n`-th one (from 0) meets the fault.
//! A full disk stays full.

use super::disk::{Disk, RealDisk};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; operations are only counted.
    None,
    /// The disk is full from the n-th write on.
    Full,
    /// The n-th operation of any kind fails with an input/output error.
    Broken,
    /// The n-th file is refused: too many are open.
    TooMany,
    /// Every write and read from the n-th operation on moves a part of the bytes only, as many as the seed says; some are
    /// interrupted before they move any.
    Short,
    /// The n-th read succeeds, but one bit is wrong: which one, the seed says.
    Flip,
    /// The file ends before what the n-th read wants.
    Truncated,
    /// From the n-th on nothing can be punched out of a file.
    NoPunch,
}

/// The real disk with one fault.
#[derive(Debug)]
pub struct FaultyDisk {
    seed: u64,
    state: Mutex<State>,
}

/// What is wrong, and how often what was done since it is.
#[derive(Clone, Copy, Debug)]
struct State {
    fault: Fault,
    n: u64,
    met: bool,
    operations: u64,
    files: u64,
    writes: u64,
    reads: u64,
    punches: u64,
}

impl State {
    fn new(fault: Fault, n: u64) -> Self {
        State { fault, n, met: false, operations: 0, files: 0, writes: 0, reads: 0, punches: 0 }
    }

    /// Whether the fault is `fault` and comes with number `turn`, or from it on.
    fn meets(&mut self, fault: Fault, turn: u64, stays: bool) -> bool {
        let meets = self.fault == fault && (turn == self.n || stays && turn > self.n);
        self.met |= meets;
        meets
    }
}

/// Counts up; answers what was counted before.
fn next(counter: &mut u64) -> u64 {
    *counter += 1;
    *counter - 1
}

impl FaultyDisk {
    /// The `n`-th operation (file, write, read) meets `fault`.
    pub fn new(fault: Fault, n: u64, seed: u64) -> Self {
        FaultyDisk { seed, state: Mutex::new(State::new(fault, n)) }
    }

    /// From now on the `n`-th operation, counted from now, meets `fault`.
    pub fn arm(&self, fault: Fault, n: u64) {
        *self.state() = State::new(fault, n);
    }

    /// Operations made so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether something met the fault.
    pub fn has_met(&self) -> bool {
        self.state().met
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Counts an operation; fails it if it is the broken one.
    fn count(&self) -> io::Result<u64> {
        let mut state = self.state();
        let turn = next(&mut state.operations);
        match state.meets(Fault::Broken, turn, false) {
            true => Err(io::Error::other("injected input/output error")),
            false => Ok(turn),
        }
    }

    fn random(&self, turn: u64, below: usize) -> usize {
        let mut x = self.seed ^ turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        x ^= x >> 33;
        x = x.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        x ^= x >> 33;
        (x % below.max(1) as u64) as usize
    }

    /// How many of `len` bytes the operation moves.
    fn some(&self, turn: u64, len: usize) -> io::Result<usize> {
        if !self.state().meets(Fault::Short, turn, true) {
            return Ok(len);
        }
        if self.random(!turn, 4) == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok((1 + self.random(turn, len)).min(len))
    }
}

impl Disk for FaultyDisk {
    fn create(&self, dir: &Path) -> io::Result<File> {
        self.count()?;
        let mut state = self.state();
        let turn = next(&mut state.files);
        if state.meets(Fault::TooMany, turn, false) {
            return Err(io::Error::from_raw_os_error(24)); // EMFILE
        }
        drop(state);
        RealDisk.create(dir)
    }

    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        let turn = self.count()?;
        let mut state = self.state();
        let write = next(&mut state.writes);
        if state.meets(Fault::Full, write, true) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        drop(state);
        RealDisk.write_at(file, bytes.get(..self.some(turn, bytes.len())?).unwrap_or(bytes), at)
    }

    fn read_at(&self, file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
        let turn = self.count()?;
        let mut state = self.state();
        let read = next(&mut state.reads);
        let (flips, ends) = (state.meets(Fault::Flip, read, false), state.meets(Fault::Truncated, read, false));
        drop(state);
        if ends {
            return Ok(0);
        }
        let some = self.some(turn, into.len())?;
        let moved = RealDisk.read_at(file, into.get_mut(..some).unwrap_or_default(), at)?;
        if flips {
            let bit = self.random(turn, moved * 8);
            if let Some(byte) = into.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(moved)
    }

    fn punch(&self, file: &File, at: u64, len: u64) -> io::Result<()> {
        self.count()?;
        let mut state = self.state();
        let punch = next(&mut state.punches);
        if state.meets(Fault::NoPunch, punch, true) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        drop(state);
        RealDisk.punch(file, at, len)
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        RealDisk.free(dir)
    }

    fn is_memory(&self, dir: &Path) -> bool {
        RealDisk.is_memory(dir)
    }
}
