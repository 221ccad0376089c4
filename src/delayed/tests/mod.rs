//! Delayed calls on both pools, and against slow and obvious answers.

mod calls;
mod conversions;
mod futures;
mod graphs;
mod spilling;

use crate::config::Tuning;
use crate::frame::{Session, SessionBuilder};
use crate::sched::story::replay;
use std::sync::{Arc, Mutex};

/// A small generator of its own, so that a seed names a case.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

fn builder(memory: usize) -> SessionBuilder {
    let tuning = Tuning { page_bytes: Some(4096), scratch_write_bytes: 1 << 14, ..Tuning::default() };
    Session::builder().memory(memory).unwrap().tuning(tuning)
}

fn inline(memory: usize) -> Session {
    builder(memory).inline(true).threads(1).build().unwrap()
}

/// Runs `test` on both pools and with several numbers of threads; what the scheduler did must replay.
fn on_all(memory: usize, test: impl Fn(&Session)) {
    for threads in [1, 2, 7] {
        for inline in [true, false] {
            let story = Arc::new(Mutex::new(String::new()));
            let told = story.clone();
            let record = move |line: &str| {
                let mut told = told.lock().unwrap();
                told.push_str(line);
                told.push('\n');
            };
            let session = builder(memory).inline(inline).threads(threads).story(record).build().unwrap();
            test(&session);
            drop(session);
            let story = story.lock().unwrap().clone();
            replay(&story).unwrap_or_else(|e| panic!("inline {inline}, {threads} threads: {e}"));
        }
    }
}
