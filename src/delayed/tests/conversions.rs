//! Graphs by hand; bags and frames from calls and back.

use super::{Dice, inline, on_all};
use crate::bag::Bag;
use crate::delayed::{Delayed, GraphBuilder, compute_all, delayed};
use crate::frame::Frame;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn random_graphs_by_hand() {
    for seed in 0..6 {
        on_all(1 << 20, |session| {
            let mut dice = Dice::new(seed);
            let (mut graph, mut values) = (GraphBuilder::new(), Vec::new());
            let count = 2 + dice.roll(40);
            for n in 0..count {
                let needs: Vec<usize> = (0..dice.roll(4).min(n)).map(|_| dice.roll(n)).collect();
                let keys: Vec<String> = needs.iter().map(|n| format!("k{n}")).collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let key = format!("k{n}");
                let value = match dice.roll(5) {
                    0 => {
                        graph.value(key, n as u64);
                        n as u64
                    }
                    1 if !needs.is_empty() => {
                        graph.alias(key, keys[0]);
                        values[needs[0]]
                    }
                    _ => {
                        let step = move |sum: u64, value: u64| (sum * 7 + value) % 10_007;
                        graph.insert(key, &keys, move |v: &[&u64]| v.iter().fold(n as u64, |s, v| step(s, **v)));
                        needs.iter().fold(n as u64, |s, v| step(s, values[*v]))
                    }
                };
                values.push(value);
            }
            let asked: Vec<usize> = (0..5).map(|_| dice.roll(count)).collect();
            let keys: Vec<String> = asked.iter().map(|n| format!("k{n}")).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let expected: Vec<u64> = asked.iter().map(|n| values[*n]).collect();
            assert_eq!(graph.get(session, &keys).unwrap(), expected, "seed {seed}");
        });
    }
}

#[test]
fn cycles_and_missing_keys_are_named_before_anything_runs() {
    let session = inline(1 << 20);
    let runs = Arc::new(AtomicUsize::new(0));
    let mut graph = GraphBuilder::new();
    let insert = |graph: &mut GraphBuilder<u64>, key: &str, needs: &[&str]| {
        let runs = runs.clone();
        graph.insert(key, needs, move |v: &[&u64]| v.len() as u64 + runs.fetch_add(1, SeqCst) as u64);
    };
    insert(&mut graph, "a", &[]);
    insert(&mut graph, "b", &["a", "d"]);
    insert(&mut graph, "c", &["b"]);
    graph.alias("d", "c");
    insert(&mut graph, "self", &["self"]);
    insert(&mut graph, "lost", &["a", "nowhere"]);
    let error = |keys: &[&str]| graph.get(&session, keys).unwrap_err().message().to_string();
    assert_eq!(error(&["a", "d"]), "the graph has a cycle: d -> c -> b -> d");
    assert_eq!(error(&["self"]), "the graph has a cycle: self -> self");
    assert_eq!(error(&["lost"]), "the graph has no key nowhere, which lost needs");
    assert_eq!(error(&["other"]), "the graph has no key other");
    assert_eq!(runs.load(SeqCst), 0);
    assert_eq!(graph.get(&session, &["a", "a"]).unwrap(), [0, 0]);
    assert_eq!(runs.load(SeqCst), 1);
    let mut long = GraphBuilder::new();
    for n in 0..50_000u64 {
        long.insert(format!("k{n}"), &[&format!("k{}", (n + 1) % 50_000)], |v: &[&u64]| *v[0]);
    }
    let error = long.get(&session, &["k0"]).unwrap_err();
    assert!(error.message().starts_with("the graph has a cycle: k0 -> k1 -> k2") && error.message().len() < 300);
    long.value("k49999", 7);
    assert_eq!(long.get(&session, &["k0"]).unwrap(), [7]);
}

#[test]
fn bags_are_made_of_calls_and_calls_of_bags() {
    on_all(16 << 20, |session| {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let shared = delayed(move || counted.fetch_add(1, SeqCst) as u64 + 10).call(());
        let part = delayed(|from: u64, n: u64| (from..from + n).collect::<Vec<u64>>());
        let parts: Vec<Delayed<Vec<u64>>> = (0..5u64).map(|n| part.call((&shared, n))).collect();
        let bag = Bag::from_delayed(session, &parts);
        assert_eq!(bag.sum().unwrap(), Some((0..5u64).flat_map(|n| 10..10 + n).map(i128::from).sum()));
        assert_eq!(runs.load(SeqCst), 1, "what parts share runs once a run");
        let sorted = Bag::from_delayed(session, &parts[1..3]).sorted_by(|n| std::cmp::Reverse(*n));
        assert_eq!(sorted.collect().unwrap(), [12, 11, 11]);

        let calls = Bag::range(session, 0..100, 7).filter(|n| n % 2 == 0).to_delayed().unwrap();
        assert_eq!(calls.len(), 7);
        let lists = compute_all(session, &calls).unwrap();
        assert_eq!(lists.concat(), (0..50).map(|n| n * 2).collect::<Vec<i64>>());
        let whole = Bag::range(session, 0..10, 3).sorted_by(|n| -n).to_delayed().unwrap();
        assert_eq!(compute_all(session, &whole).unwrap(), [(0..10).rev().collect::<Vec<i64>>()]);
        let again = Bag::from_delayed(session, &calls).count().unwrap();
        assert_eq!(again, 50);
        let failing = delayed(|| "x".parse::<u64>().map(|n| vec![n])).name("part").call(());
        let error = Bag::from_delayed(session, &[failing]).count().unwrap_err();
        assert_eq!(error.message(), "the task part: invalid digit found in string");
    });
}

fn batch(from: i64, rows: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + rows));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap()
}

#[test]
fn frames_are_made_of_calls_and_calls_of_frames() {
    on_all(16 << 20, |session| {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let shared = delayed(move || counted.fetch_add(1, SeqCst) as i64 + 100).call(());
        let make = delayed(|from: i64, n: i64| vec![batch(from * n, 1000), batch(0, 0)]).pinned();
        let parts: Vec<_> = (0..4i64).map(|n| make.call((&shared, n))).collect();
        let frame = Frame::from_delayed(session, batch(0, 0).schema(), &parts).unwrap();
        session.register("parts", &frame).unwrap();
        for _ in 0..2 {
            let rows = session.sql("SELECT count(*), sum(n), min(n), max(n) FROM parts").unwrap().lines().unwrap();
            assert_eq!(rows, ["4000|2598000|0|1299"]);
        }
        assert_eq!(runs.load(SeqCst), 1, "calls run when the frame first does");
        let back = session.sql("FROM parts WHERE n % 2 = 0").unwrap().to_delayed();
        let count = delayed(|rows: &[RecordBatch]| rows.iter().map(RecordBatch::num_rows).sum::<usize>());
        assert_eq!(count.call(&back).compute(session).unwrap(), 2000);
        let wrong =
            delayed(|| vec![RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()))]).pinned().call(());
        let frame = Frame::from_delayed(session, batch(0, 0).schema(), &[wrong]).unwrap();
        assert!(frame.count().is_err());
    });
}

#[test]
fn rows_of_frames_go_to_scratch_and_come_back() {
    let session = inline(16 << 20);
    let rows = |n: i64| session.sql(&format!("SELECT n * {n} AS n FROM range(200000) AS t(n)")).unwrap().to_delayed();
    let frames: Vec<_> = (1..13).map(rows).collect();
    let first = |rows: &Vec<RecordBatch>| rows.iter().map(|b| b.num_rows() as i64).sum::<i64>();
    let counts: Vec<_> = frames.iter().map(|f| delayed(first).call(f)).collect();
    let gate = delayed(|counts: &[i64]| counts.iter().sum::<i64>()).call(&counts);
    let sum = |rows: &Vec<RecordBatch>, gate: &i64| {
        let column =
            |b: &RecordBatch| b.column(0).as_any().downcast_ref::<Int64Array>().map(|c| c.values().iter().sum::<i64>());
        rows.iter().filter_map(column).sum::<i64>() + gate
    };
    let sums: Vec<_> = frames.iter().map(|f| delayed(sum).call((f, &gate))).collect();
    let expected: Vec<i64> = (1..13).map(|n| n * (199_999 * 200_000 / 2) + 12 * 200_000).collect();
    assert_eq!(compute_all(&session, &sums).unwrap(), expected);
    assert!(session.stats().scratch_written > 2 << 20);
}
