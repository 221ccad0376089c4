//! Functions of every kind, their errors and panics.

use super::{inline, on_all};
use crate::delayed::{Delayed, compute_all, delayed, value};
use crate::error::ErrorKind;
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn parameters_are_values_references_slices_and_texts() {
    let session = inline(1 << 20);
    let numbers = value(vec![3u64, 4]);
    let text = value("ab".to_string());
    assert_eq!(delayed(|n: Vec<u64>| n.len()).call(&numbers).compute(&session).unwrap(), 2);
    assert_eq!(delayed(|n: &Vec<u64>| n[1]).call(&numbers).compute(&session).unwrap(), 4);
    assert_eq!(delayed(|n: &[u64], i: usize| n[i]).call((&numbers, 0usize)).compute(&session).unwrap(), 3);
    assert_eq!(delayed(|t: &str| t.len()).call(&text).compute(&session).unwrap(), 2);
    assert_eq!(delayed(|t: String| t + "c").call("ab").compute(&session).unwrap(), "abc");
    let all = delayed(|a: u8, b: &u16, c: u32, d: &u64| u64::from(a) + u64::from(*b) + u64::from(c) + d);
    assert_eq!(all.call((1u8, 2u16, 3u32, 4u64)).compute(&session).unwrap(), 10);
    let six = delayed(|a: i8, b: i16, c: i32, d: i64, e: f32, f: bool| {
        f64::from(a) + f64::from(b) + f64::from(c) + d as f64 + f64::from(e) + f64::from(u8::from(f))
    });
    assert_eq!(six.call((1i8, 2i16, 3i32, 4i64, 0.5f32, true)).compute(&session).unwrap(), 11.5);
    let nested = delayed(|lists: Vec<Vec<u64>>| lists.concat().iter().sum::<u64>());
    assert_eq!(nested.call(vec![vec![1u64], vec![2, 3]]).compute(&session).unwrap(), 6);
    fn twice(n: i64) -> i64 {
        n * 2
    }
    let call = delayed(twice).call(delayed(twice).call(1i64));
    assert_eq!((call.name(), call.compute(&session).unwrap()), ("twice", 4));
    compute_all(&session, ()).unwrap();
    assert_eq!(value(5u64).compute(&session).unwrap(), 5);
}

/// Three leaves, one of which does what `middle` does, under a sum.
fn failing(middle: impl Fn() -> Result<u64, std::num::ParseIntError> + Send + Sync + 'static) -> Delayed<u64> {
    let leaf = delayed(|| 1u64).name("leaf");
    let middle = delayed(middle).name("middle").call(());
    let above = delayed(|n: u64| n).name("above").call(middle);
    delayed(|all: &[u64]| all.iter().sum::<u64>()).name("sum").call([leaf.call(()), above, leaf.call(())])
}

#[test]
fn an_error_names_the_task_and_where_it_hangs_and_keeps_its_cause() {
    on_all(1 << 20, |session| {
        let error = failing(|| "x".parse()).compute(session).unwrap_err();
        assert_eq!(error.message(), "the task middle: invalid digit found in string");
        assert_eq!(error.place().task.as_deref(), Some("middle #1 -> above #2 -> sum #4"));
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.source().unwrap().is::<std::num::ParseIntError>());
        assert_eq!(session.engine().shelf().used(), 0);
    });
}

#[test]
fn a_panic_is_an_error_of_its_task() {
    on_all(1 << 20, |session| {
        let error = failing(|| panic!("no {}", 7)).compute(session).unwrap_err();
        assert_eq!(error.message(), "the task middle panicked: no 7");
        assert_eq!(error.place().task.as_deref(), Some("middle #1 -> above #2 -> sum #4"));
        assert_eq!(delayed(|| 1u64).call(()).compute(session).unwrap(), 1, "the session goes on");
    });
}

#[test]
fn our_own_errors_stay_what_they_are() {
    let session = inline(1 << 20);
    let function = delayed(|| Err::<u64, _>(crate::Error::unsupported("later").advise("wait")));
    let error = function.name("f").call(()).compute(&session).unwrap_err();
    assert_eq!(
        (error.kind(), error.message(), error.advice()),
        (ErrorKind::Unsupported, "the task f: later", Some("wait"))
    );
}

#[test]
fn after_a_failure_other_tasks_do_not_start() {
    let session = inline(1 << 20);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let fails = delayed(|| Err::<u64, _>(std::io::Error::other("no"))).call(());
    let count = delayed(move |n: u64| counted.fetch_add(1, SeqCst) as u64 + n);
    let mut calls = vec![fails];
    calls.extend((0..100).map(|n| count.call(n as u64)));
    assert!(compute_all(&session, &calls).is_err());
    assert_eq!(runs.load(SeqCst), 0);
}

#[test]
fn a_task_that_fails_is_run_again_as_often_as_was_said() {
    on_all(1 << 20, |session| {
        for (failures, retries) in [(0, 0), (1, 1), (3, 3), (1, 0), (4, 3)] {
            let runs = Arc::new(AtomicUsize::new(0));
            let counted = runs.clone();
            let input = delayed(|| vec![1u64, 2]).call(());
            let flaky = delayed(move |list: Vec<u64>| match counted.fetch_add(1, SeqCst) < failures {
                true => panic!("try {}", counted.load(SeqCst)),
                false => list.iter().sum::<u64>(),
            });
            let got = flaky.name("flaky").retries(retries).call(input).compute(session);
            if failures <= retries as usize {
                assert_eq!((got.unwrap(), runs.load(SeqCst)), (3, failures + 1));
            } else {
                let message = format!("the task flaky panicked: try {}", retries + 1);
                assert_eq!((got.unwrap_err().message(), runs.load(SeqCst)), (message.as_str(), retries as usize + 1));
            }
        }
    });
}

#[test]
fn tasks_may_ask_for_results_themselves() {
    on_all(1 << 20, |session| {
        let inner = session.clone();
        let outer = delayed(move |n: u64| {
            let parts: Vec<Delayed<u64>> = (0..n).map(|i| delayed(|i: u64| i * i).call(i)).collect();
            compute_all(&inner, &parts).map(|parts| parts.iter().sum::<u64>())
        });
        let calls: Vec<Delayed<u64>> = (0..20u64).map(|n| outer.call(n)).collect();
        let expected: Vec<u64> = (0..20u64).map(|n| (0..n).map(|i| i * i).sum()).collect();
        assert_eq!(compute_all(session, &calls).unwrap(), expected);
    });
}

#[test]
fn a_cancelled_session_stops() {
    on_all(1 << 20, |session| {
        let inner = session.clone();
        let stop = delayed(move |n: u64| {
            inner.cancel_all();
            n
        });
        let last = (0..100).fold(stop.call(0u64), |last, _| delayed(|n: u64| n + 1).call(last));
        assert_eq!(last.compute(session).unwrap_err().kind(), ErrorKind::Cancelled);
    });
}
