//! A program with delayed functions and futures, seen from outside: what is left of a session when it is dropped.
#![cfg(target_os = "linux")]

use partita::prelude::*;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.count())
}

/// The only test of this file, since it counts the threads of its process.
#[test]
fn sessions_leave_no_threads_behind() {
    let before = threads();
    for round in 0..5 {
        let session = Session::builder().memory("16MiB").unwrap().threads(3).build().unwrap();
        let futures = session.map(|n: u64| vec![n; 1000], 0..200u64);
        let sum = session.submit(|all: &[Vec<u64>]| all.iter().flatten().sum::<u64>(), &futures);
        let (sender, receiver) = mpsc::channel::<u64>();
        let receiver = std::sync::Mutex::new(receiver);
        let waits = session.submit(move || receiver.lock().map(|r| r.recv().unwrap_or(0)).unwrap_or(0), ());
        let needs = session.submit(|n: u64| n, &waits);
        if round % 2 == 0 {
            assert_eq!(sum.result().unwrap(), 199 * 200 / 2 * 1000);
        }
        // What runs is asked to stop, what waits goes away; the function that waits ends with its channel.
        drop((session, futures, sum, needs, waits));
        drop(sender);
    }
    let until = Instant::now() + Duration::from_secs(120);
    while threads() > before && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(threads(), before, "threads are left");
}
