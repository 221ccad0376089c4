//! Results that are larger than the budget together, and those that cannot leave memory.

use super::{inline, on_all};
use crate::delayed::{Delayed, compute_all, delayed, persist_all};
use crate::error::ErrorKind;

/// So many words that depend on `seed`; no compression helps.
fn words(seed: u64, count: usize) -> Vec<u64> {
    (0..count as u64).map(|n| (seed + n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect()
}

const WORDS: usize = 10_000;

fn sum_of(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

#[test]
fn results_larger_than_the_budget_go_through_scratch() {
    // 40 results of 80 kB each are all alive at one time, in 1 MiB.
    on_all(1 << 20, |session| {
        let make = delayed(|seed: u64| words(seed, WORDS));
        let made: Vec<Delayed<Vec<u64>>> = (0..40u64).map(|seed| make.call(seed)).collect();
        let first: Vec<Delayed<u64>> = made.iter().map(|m| delayed(|w: &Vec<u64>| w[0]).call(m)).collect();
        let gate = delayed(|first: &[u64]| first.len() as u64).call(&first);
        // Each needs the gate, which needs all of them to be there.
        let sum = delayed(|words: &[u64], gate: u64| sum_of(words).wrapping_add(gate));
        let sums: Vec<Delayed<u64>> = made.iter().map(|m| sum.call((m, &gate))).collect();
        let expected: Vec<u64> = (0..40).map(|seed| sum_of(&words(seed, WORDS)).wrapping_add(40)).collect();
        assert_eq!(compute_all(session, &sums).unwrap(), expected);
        let stats = session.stats();
        assert!(stats.scratch_written > 1 << 20, "{} bytes written", stats.scratch_written);
        assert!(stats.peak_account <= 1 << 20);
        assert_eq!(session.engine().shelf().used(), 0);
    });
}

#[test]
fn persisted_results_give_memory_back_to_others() {
    let session = inline(8 << 20);
    let make = delayed(|seed: u64| words(seed, 10 * WORDS));
    let made: Vec<Delayed<Vec<u64>>> = (0..8u64).map(|seed| make.call(seed)).collect();
    let rested = persist_all(&session, &made).unwrap();
    assert!(session.engine().shelf().used() > 5_000_000 && session.stats().scratch_written == 0);
    // A sort of a frame needs the memory that they take.
    let sorted = session.sql("SELECT max(n) FROM (SELECT n FROM range(200000) AS t(n) ORDER BY -n) AS s").unwrap();
    assert_eq!(sorted.lines().unwrap(), ["199999"]);
    let sums: Vec<Delayed<u64>> = rested.iter().map(|m| delayed(|w: &[u64]| sum_of(w)).call(m)).collect();
    assert!(session.stats().scratch_written > 500_000);
    let expected: Vec<u64> = (0..8).map(|seed| sum_of(&words(seed, 10 * WORDS))).collect();
    assert_eq!(compute_all(&session, &sums).unwrap(), expected);
}

#[test]
fn what_is_pinned_is_counted_and_refused_beyond_the_budget() {
    on_all(1 << 20, |session| {
        let pinned = delayed(|seed: u64| words(seed, 4)).pinned().memory(200_000).name("pin");
        let few: Vec<_> = (0..3u64).map(|seed| pinned.call(seed)).collect();
        let sum = delayed(|all: Vec<Vec<u64>>| all.len());
        assert_eq!(sum.call(&few).compute(session).unwrap(), 3);
        let many: Vec<_> = (0..20u64).map(|seed| pinned.call(seed)).collect();
        let error = sum.call(&many).compute(session).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Resources, "{error}");
        assert!(error.to_string().contains("pin"), "{error}");
        assert_eq!(session.engine().shelf().pinned(), (0, 0));
    });
}

#[test]
fn arguments_that_do_not_fit_are_an_error_of_their_task() {
    let session = inline(1 << 20);
    let made: Vec<Delayed<Vec<u64>>> = (0..30u64).map(|seed| delayed(|s: u64| words(s, WORDS)).call(seed)).collect();
    let all = delayed(|all: Vec<Vec<u64>>| all.len()).name("all").call(&made);
    let error = all.compute(&session).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resources);
    assert!(error.message().starts_with("the task all needs"), "{error}");
    assert_eq!(error.place().task.as_deref(), Some("all #30"));
}

#[test]
fn tasks_start_only_with_their_memory() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let session = super::builder(8 << 20).threads(4).build().unwrap();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let heavy = delayed(move |n: u64| {
        seen.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(2));
        running.fetch_sub(1, SeqCst);
        n
    });
    let heavy = heavy.memory(3 << 20);
    let calls: Vec<Delayed<u64>> = (0..20u64).map(|n| heavy.call(n)).collect();
    assert_eq!(compute_all(&session, &calls).unwrap().len(), 20);
    assert!(most.load(SeqCst) <= 2, "{} at one time", most.load(SeqCst));
    let error = delayed(|| 1u64).name("giant").memory(64 << 20).call(()).compute(&session).unwrap_err();
    assert!(error.kind() == ErrorKind::Resources && error.to_string().contains("giant"), "{error}");
}

#[test]
fn a_full_disk_is_an_error_of_the_query() {
    let session = super::builder(1 << 20).inline(true).threads(1).scratch_limit(64 << 10).unwrap().build().unwrap();
    let made: Vec<Delayed<Vec<u64>>> = (0..40u64).map(|seed| delayed(|s: u64| words(s, WORDS)).call(seed)).collect();
    let error = compute_all(&session, &made).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resources, "{error}");
    assert_eq!(session.engine().shelf().used(), 0);
}
