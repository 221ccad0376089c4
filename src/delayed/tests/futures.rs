//! Futures: their ends, their order, their bound, and what is left when they are dropped.

use super::{builder, inline, on_all};
use crate::config::Tuning;
use crate::delayed::{Future, Status, Until, delayed};
use crate::error::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// A function that answers when something was sent.
fn waits() -> (mpsc::Sender<u64>, impl Fn() -> Result<u64, mpsc::RecvError> + Send + Sync + 'static) {
    let (sender, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    (sender, move || receiver.lock().unwrap().recv())
}

#[test]
fn futures_take_each_others_results() {
    on_all(1 << 20, |session| {
        let squares = session.map(|n: u64| n * n, 0..300u64);
        let pairs: Vec<Future<u64>> =
            squares.chunks(2).map(|pair| session.submit(|a: u64, b: u64| a + b, (&pair[0], &pair[1]))).collect();
        let sum = session.submit(|all: Vec<u64>| all.iter().sum::<u64>(), &pairs);
        let expected: u64 = (0..300u64).map(|n| n * n).sum();
        assert_eq!(sum.result().unwrap(), expected);
        assert_eq!(session.gather(&squares).unwrap().iter().sum::<u64>(), expected);
        // A call that is no future may need some.
        let more = delayed(|sum: u64, first: &u64| sum + first).call((&sum, &squares[2]));
        assert_eq!(more.compute(session).unwrap(), expected + 4);
        drop((squares, pairs, sum, more));
        assert_eq!(session.engine().shelf().used(), 0, "dropped futures leave nothing");
    });
}

#[test]
fn failures_pass_on_with_their_causes() {
    on_all(1 << 20, |session| {
        let parse = delayed(|text: &str| text.parse::<u64>()).name("parse");
        let bad = session.start(&parse.call("x"));
        let good = session.start(&parse.call("1"));
        let sum = session.submit(|a: u64, b: u64| a + b, (&good, &bad));
        let error = sum.result().unwrap_err();
        assert_eq!(error.message(), "the future parse has no result: the task parse: invalid digit found in string");
        let causes: Vec<String> =
            std::iter::successors(std::error::Error::source(&error), |e| e.source()).map(|e| e.to_string()).collect();
        assert_eq!(causes.len(), 2, "{causes:?}");
        assert_eq!((bad.status(), sum.status(), good.result().unwrap()), (Status::Failed, Status::Failed, 1));
        let panics = session.submit(|| -> u64 { panic!("no") }, ());
        assert!(panics.result().unwrap_err().message().contains("panicked: no"));
        assert!(session.gather(&[good, bad, sum]).is_err());
    });
}

#[test]
fn a_future_that_is_cancelled_or_needs_one_has_no_result() {
    let session = builder(1 << 20).threads(1).build().unwrap();
    let (send, wait) = waits();
    let first = session.submit(wait, ());
    let second = session.submit(|n: u64| n, &first);
    let third = session.submit(|n: u64| n, &second);
    second.cancel();
    assert!(!first.is_done());
    assert_eq!(third.result().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!((second.status(), third.status()), (Status::Cancelled, Status::Cancelled));
    send.send(7).unwrap();
    assert_eq!(first.result().unwrap(), 7);
    first.cancel();
    assert_eq!(first.status(), Status::Finished, "an end stays what it is");
}

#[test]
fn waiting_has_an_end() {
    let session = builder(1 << 20).threads(2).build().unwrap();
    let (send, wait) = waits();
    let slow = session.submit(wait, ());
    let quick = session.submit(|| 1u64, ());
    assert_eq!(slow.result_within(Duration::from_millis(5)).unwrap(), None);
    let both = [slow.clone(), quick.clone()];
    let (ended, pending) = session.wait(&both, Until::First, None);
    assert_eq!((ended.len(), ended[0].result().unwrap(), pending.len()), (1, 1, 1));
    let (ended, pending) = session.wait(&both, Until::All, Some(Duration::from_millis(5)));
    assert_eq!((ended.len(), pending.len()), (1, 1));
    send.send(2).unwrap();
    assert_eq!(slow.result_within(Duration::from_secs(600)).unwrap(), Some(2));
    let bad = session.submit(|| Err::<u64, _>(std::io::Error::other("no")), ());
    let (_, never) = waits();
    let hangs = session.submit(never, ());
    let (ended, _) = session.wait(&[bad, hangs.clone()], Until::Failure, None);
    assert!(ended.iter().any(|f| f.status() == Status::Failed));
}

#[test]
fn futures_come_in_the_order_in_which_they_end() {
    let session = builder(1 << 20).threads(2).build().unwrap();
    let (send, wait) = waits();
    let slow = session.submit(wait, ());
    let quick = session.submit(|| 1u64, ());
    let mut coming = session.as_completed([slow, quick]);
    assert_eq!(coming.next().unwrap().result().unwrap(), 1);
    assert!(coming.next_within(Duration::from_millis(5)).is_none());
    send.send(2).unwrap();
    assert_eq!(coming.next().unwrap().result().unwrap(), 2);
    assert!(coming.next().is_none());
    on_all(1 << 20, |session| {
        let sum: u64 = session.as_completed(session.map(|n: u64| n, 0..200u64)).map(|f| f.result().unwrap()).sum();
        assert_eq!(sum, 199 * 200 / 2);
    });
}

#[test]
fn a_full_queue_refuses_or_waits() {
    let tuning = Tuning { future_queue: 2, ..Tuning::default() };
    let session = builder(1 << 20).tuning(tuning.clone()).threads(1).build().unwrap();
    let (send, wait) = waits();
    let first = session.submit(wait, ());
    let second = session.submit(|n: u64| n + 1, &first);
    assert!(session.try_submit(|n: u64| n, 1u64).is_none());
    // One that is dropped leaves its place.
    drop(second);
    let third = session.try_submit(|n: u64| n, 3u64).expect("there is a place");
    let sender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(5));
        send.send(1).unwrap();
    });
    let all = session.map(|n: u64| n, 0..20u64);
    assert_eq!((all.len(), first.result().unwrap(), third.result().unwrap()), (20, 1, 3));
    sender.join().unwrap();
    // On the pool without threads, whoever waits for a place runs what holds it.
    let session = builder(1 << 20).tuning(tuning).inline(true).threads(1).build().unwrap();
    assert_eq!(session.gather(&session.map(|n: u64| n, 0..50u64)).unwrap().len(), 50);
}

#[test]
fn tasks_may_submit_without_waiting_for_places() {
    let tuning = Tuning { future_queue: 1, ..Tuning::default() };
    for (inline, threads) in [(true, 1), (false, 1), (false, 3)] {
        let session = builder(4 << 20).tuning(tuning.clone()).inline(inline).threads(threads).build().unwrap();
        /// Slow on purpose: each number asks for two others.
        fn fibonacci(session: &crate::Session, n: u64) -> crate::Result<u64> {
            if n < 2 {
                return Ok(n);
            }
            let part = |n: u64| {
                let inner = session.clone();
                session.submit(move |n: u64| fibonacci(&inner, n), n)
            };
            let parts = [part(n - 1), part(n - 2)];
            Ok(session.gather(&parts)?.iter().sum())
        }
        assert_eq!(fibonacci(&session, 11).unwrap(), 89);
    }
}

#[test]
fn dropping_a_future_frees_its_result_and_stops_what_has_not_begun() {
    let session = builder(4 << 20).threads(1).build().unwrap();
    let large = session.submit(|| vec![7u64; 100_000], ());
    assert!(large.wait(None) && session.engine().shelf().used() >= 800_000);
    drop(large);
    assert_eq!(session.engine().shelf().used(), 0);
    let (send, wait) = waits();
    let first = session.submit(wait, ());
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    drop(session.submit(move |n: u64| counted.fetch_add(n as usize, SeqCst), &first));
    send.send(7).unwrap();
    assert_eq!(first.result().unwrap(), 7);
    assert_eq!(session.submit(|| 1u64, ()).result().unwrap(), 1);
    assert_eq!(runs.load(SeqCst), 0);
}

#[test]
fn what_is_detached_runs_to_its_end() {
    for inline in [true, false] {
        let session = builder(1 << 20).inline(inline).threads(1).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        session.submit(move |n: u64| sender.send(n).is_ok(), 7u64).detach();
        drop(session);
        assert_eq!(receiver.recv_timeout(Duration::from_secs(600)), Ok(7));
    }
}

#[test]
fn a_priority_puts_a_future_before_others() {
    let session = inline(1 << 20);
    let log = Arc::new(Mutex::new(Vec::new()));
    let told = log.clone();
    let tell = delayed(move |n: u64| told.lock().unwrap().push(n));
    // The first has begun when the others come.
    let calls = [(0, 0), (1, 0), (2, 5), (3, -5), (4, 5)];
    let calls = calls.map(|(n, priority)| tell.clone().priority(priority).call(n as u64));
    let futures: Vec<Future<()>> = calls.iter().map(|call| session.start(call)).collect();
    session.gather(&futures).unwrap();
    assert_eq!(*log.lock().unwrap(), [0, 2, 4, 1, 3]);
}

#[test]
fn results_of_futures_go_to_scratch_and_come_back() {
    on_all(1 << 20, |session| {
        let words = |n: u64| (0..10_000).map(|i| (n + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect::<Vec<u64>>();
        let all = session.map(words, 0..30u64);
        assert!(session.wait(&all, Until::All, None).1.is_empty());
        assert!(session.stats().scratch_written > 1 << 20);
        let sums = all
            .iter()
            .map(|future| session.submit(|list: &Vec<u64>| list.iter().fold(0u64, |a, b| a.wrapping_add(*b)), future));
        let sums: Vec<Future<u64>> = sums.collect();
        let expected: Vec<u64> = (0..30u64).map(|n| words(n).iter().fold(0u64, |a, b| a.wrapping_add(*b))).collect();
        assert_eq!(session.gather(&sums).unwrap(), expected);
    });
}

#[test]
fn a_future_outlives_its_session() {
    on_all(1 << 20, |session| {
        let clone = session.clone();
        let future = clone.submit(|| 5u64, ());
        drop(clone);
        assert_eq!(future.result().unwrap(), 5);
    });
    let session = inline(1 << 20);
    let future = session.submit(|| 5u64, ());
    drop(session);
    assert_eq!(future.result().unwrap(), 5);
}
