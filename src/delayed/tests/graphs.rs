//! Random graphs, long chains, wide sums; what runs how often, in which order, and what is alive meanwhile.

use super::{Dice, inline, on_all};
use crate::delayed::{Delayed, compute_all, delayed, persist_all};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

const PRIME: u64 = 1_000_003;

/// A graph with the value that each node must have.
struct Case {
    nodes: Vec<Delayed<u64>>,
    values: Vec<u64>,
    runs: Vec<Arc<AtomicUsize>>,
    retries: Vec<usize>,
}

/// A random graph: nodes of up to four inputs, some of them twice, with random priorities; some fail at first.
fn case(seed: u64) -> Case {
    let mut dice = Dice::new(seed);
    let mut case = Case { nodes: vec![], values: vec![], runs: vec![], retries: vec![] };
    for n in 0..1 + dice.roll(60) as u64 {
        let inputs: Vec<usize> = (0..dice.roll(5).min(n as usize)).map(|_| dice.roll(n as usize)).collect();
        let failures = if dice.roll(6) == 0 { 1 + dice.roll(2) } else { 0 };
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let function = move |inputs: Vec<u64>| {
            if counted.fetch_add(1, SeqCst) < failures {
                return Err(std::io::Error::other("not yet"));
            }
            Ok(inputs.iter().fold(n + 1, |sum, input| (sum * 31 + input) % PRIME))
        };
        let function = delayed(function).priority(dice.roll(3) as i32 - 1).retries(failures as u32);
        let arguments: Vec<&Delayed<u64>> = inputs.iter().map(|i| &case.nodes[*i]).collect();
        case.nodes.push(function.call(arguments));
        let value = inputs.iter().fold(n + 1, |sum, input| (sum * 31 + case.values[*input]) % PRIME);
        case.values.push(value);
        case.runs.push(runs);
        case.retries.push(failures);
    }
    case
}

#[test]
fn random_graphs_have_the_values_of_a_plain_evaluation() {
    for seed in 0..12 {
        on_all(1 << 20, |session| {
            let case = case(seed);
            let mut dice = Dice::new(seed + 1000);
            let asked: Vec<usize> = (0..1 + dice.roll(4)).map(|_| dice.roll(case.nodes.len())).collect();
            let roots: Vec<&Delayed<u64>> = asked.iter().map(|i| &case.nodes[*i]).collect();
            let expected: Vec<u64> = asked.iter().map(|i| case.values[*i]).collect();
            assert_eq!(compute_all(session, roots).unwrap(), expected, "seed {seed}");
            for (n, runs) in case.runs.iter().enumerate() {
                let runs = runs.load(SeqCst);
                assert!(runs == 0 || runs == case.retries[n] + 1, "seed {seed}: node {n} ran {runs} times");
            }
            assert_eq!(session.engine().shelf().used(), 0, "seed {seed}: all results are freed");
        });
    }
}

#[test]
fn persisted_results_do_not_run_again() {
    on_all(1 << 20, |session| {
        let case = case(7);
        let rested = persist_all(session, &case.nodes).unwrap();
        let again = compute_all(session, &rested).unwrap();
        assert_eq!(again, case.values);
        let sum = delayed(|all: &[u64]| all.iter().sum::<u64>()).call(&rested);
        assert_eq!(sum.compute(session).unwrap(), case.values.iter().sum::<u64>());
        for (n, runs) in case.runs.iter().enumerate() {
            assert_eq!(runs.load(SeqCst), case.retries[n] + 1, "node {n}");
        }
    });
}

#[test]
fn what_is_not_asked_for_does_not_run() {
    let session = inline(1 << 20);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let count = delayed(move |n: usize| n + counted.fetch_add(1, SeqCst));
    let (one, _other) = (count.call(1usize), count.call(2usize));
    assert_eq!((one.compute(&session).unwrap(), runs.load(SeqCst)), (1, 1));
}

#[test]
fn long_chains_and_wide_sums_do_not_overflow_the_stack() {
    const MANY: usize = 100_000;
    let inc = delayed(|n: u64| n + 1);
    let mut chain = inc.call(0u64);
    for _ in 1..MANY {
        chain = inc.call(chain);
    }
    let leaves: Vec<Delayed<u64>> = (0..MANY as u64).map(|n| inc.call(n)).collect();
    let wide = delayed(|all: &[u64]| all.iter().sum::<u64>()).call(leaves);
    for session in [inline(64 << 20), super::builder(64 << 20).threads(2).build().unwrap()] {
        let sum = MANY as u64 * (MANY as u64 + 1) / 2;
        assert_eq!(compute_all(&session, (&chain, &wide)).unwrap(), (MANY as u64, sum));
    }
    assert!(chain.visualize().lines().count() == MANY);
}

#[test]
fn the_static_order_is_depth_first_and_priorities_come_first() {
    let session = inline(1 << 20);
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = log.clone();
    let tell = delayed(move |name: &str, _: &[u64]| {
        told.lock().unwrap().push(name.to_string());
        1u64
    });
    let none: [u64; 0] = [];
    let leaf = |name: &str| tell.call((name, none));
    let (a, b, c, d) = (leaf("a"), leaf("b"), leaf("c"), leaf("d"));
    let (left, right) = (tell.call(("left", [&a, &b])), tell.call(("right", [&c, &d])));
    let top = tell.call(("top", [&left, &right]));
    top.compute(&session).unwrap();
    assert_eq!(*log.lock().unwrap(), ["a", "b", "left", "c", "d", "right", "top"]);
    log.lock().unwrap().clear();
    let urgent = tell.clone().priority(9).call(("urgent", none));
    let late = tell.clone().priority(-9).call(("late", none));
    compute_all(&session, [&late, &a, &urgent, &b]).unwrap();
    assert_eq!(*log.lock().unwrap(), ["urgent", "a", "b", "late"]);
}

/// Counts those that are alive.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, SeqCst);
        Counted(alive.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[test]
fn results_are_freed_when_the_last_who_needs_them_has_run() {
    let session = inline(1 << 20);
    let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let make = {
        let (alive, most) = (alive.clone(), most.clone());
        move || {
            let made = Arc::new(Counted::new(&alive));
            most.fetch_max(alive.load(SeqCst), SeqCst);
            made
        }
    };
    let leaf = delayed(make.clone()).pinned();
    let merge = delayed(move |_: &Arc<Counted>, _: &Arc<Counted>| make()).pinned();
    let mut level: Vec<_> = (0..64).map(|_| leaf.call(())).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| merge.call((&pair[0], &pair[1]))).collect();
    }
    let answer = level[0].compute(&session).unwrap();
    assert!(most.load(SeqCst) <= 8, "a tree of 64 leaves has {} results alive", most.load(SeqCst));
    assert_eq!(alive.load(SeqCst), 1);
    drop(answer);
    assert_eq!((alive.load(SeqCst), session.engine().shelf().pinned()), (0, (0, 0)));
}

#[test]
fn the_last_call_gets_its_argument_without_a_clone() {
    /// Cannot be cloned twice.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Once(Vec<u64>);
    impl Clone for Once {
        fn clone(&self) -> Self {
            panic!("a clone")
        }
    }
    on_all(1 << 20, |session| {
        let add = delayed(|mut list: Once| {
            list.0.push(1);
            list
        });
        let first = delayed(|| Once(Vec::new())).call(());
        let chain = (0..50).fold(first, |last, _| add.call(last));
        let len = delayed(|list: &Once| list.0.len()).call(chain);
        assert_eq!(len.compute(session).unwrap(), 50);
    });
}
